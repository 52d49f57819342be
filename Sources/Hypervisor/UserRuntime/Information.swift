import CHypercall
import HypercallABI

/// What the information page says.
package enum Information {
  package static func word(_ offset: Int) -> UInt64 { h_load(Root.information &+ UInt64(offset)) }
  package static func half(_ offset: Int) -> UInt32 {
    UInt32(truncatingIfNeeded: word(offset & ~7) >> UInt64((offset & 4) * 8))
  }
  package static var length: Int { Int(half(4) >> 16) }
  package static var kilohertz: UInt64 { UInt64(half(InformationPage.frequency)) }
  package static var features: UInt32 { half(InformationPage.features) }

  package static var processors: Int {
    var count = 0
    while count < InformationPage.processorLimit,
      half(InformationPage.firstProcessor + count * InformationPage.processorBytes) & 1 != 0
    {
      count += 1
    }
    return count
  }

  package struct Memory {
    package let address: UInt64
    package let size: UInt64
    package let type: Int32
    package let auxiliary: UInt32
  }

  package static var memoryCount: Int { (length - InformationPage.firstMemory) / InformationPage.memoryBytes }

  package static func memory(_ index: Int) -> Memory {
    let place = InformationPage.firstMemory + index * InformationPage.memoryBytes
    return Memory(
      address: word(place), size: word(place + 8), type: Int32(bitPattern: half(place + 16)),
      auxiliary: half(place + 20))
  }
}
