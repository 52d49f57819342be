import CMachine
import Firmware
import FramePool
import HypercallABI

/// Fills the information page.
struct Information {
  /// Physical.
  let frame: UInt64
  private var entries = 0

  init() { frame = Memory.boot() &- Physical.base }

  private func put<T: FixedWidthInteger>(_ value: T, at offset: Int) {
    unsafe UnsafeMutableRawPointer(Physical.pointer(frame, UInt8.self)).storeBytes(
      of: value, toByteOffset: offset, as: T.self)
  }

  mutating func fill(_ boot: BootInformation, _ root: RootPointer?) {
    put(InformationPage.signature, at: 0)
    put(UInt16(InformationPage.firstProcessor), at: InformationPage.processorOffset)
    put(UInt16(InformationPage.processorBytes), at: InformationPage.processorSize)
    put(UInt16(InformationPage.firstMemory), at: InformationPage.memoryOffset)
    put(UInt16(InformationPage.memoryBytes), at: InformationPage.memorySize)
    put(unsafe Features.svm ? InformationPage.Feature.svm : 0 as UInt32, at: InformationPage.features)
    put(Hypercall.version, at: InformationPage.version)
    put(UInt32(InformationPage.selectorLimit), at: InformationPage.selectors)
    put(32 as UInt32, at: InformationPage.exceptionSelectors)
    put(256 as UInt32, at: InformationPage.guestSelectors)
    put(UInt32(Vector.interrupts), at: InformationPage.interrupts)
    put(4096 as UInt32, at: InformationPage.pageSizes)
    put(4096 as UInt32, at: InformationPage.messageBlockSizes)
    put(unsafe UInt32(truncatingIfNeeded: Clock.kilohertz), at: InformationPage.frequency)
    for number in unsafe 0..<Processors.count { processor(number) }

    boot.forEachRegion(LowMemory()) { memory($0.address, $0.size, Int32(bitPattern: $0.type), 0) }
    memory(Physical.load, m_load_end_address() - Physical.load, InformationPage.Memory.kernel, 0)
    unsafe memory(Memory.start, Memory.end - Memory.start, InformationPage.Memory.kernel, 0)
    boot.forEachModule(LowMemory()) { module in
      memory(module.start, module.end - module.start, InformationPage.Memory.module, module.commandLine?.address ?? 0)
    }
    if let root {
      if root.table != 0 { memory(root.table, 0, InformationPage.Memory.oldTables, 0) }
      if let extended = root.extended { memory(extended, 0, InformationPage.Memory.tables, 0) }
    }
    if unsafe MemoryLog.frame != 0 {
      unsafe memory(MemoryLog.frame, UInt64(MemoryLog.size), InformationPage.Memory.log, 0)
    }
    let length = InformationPage.firstMemory + entries * InformationPage.memoryBytes
    put(UInt16(length), at: InformationPage.length)
    var sum: UInt16 = 0
    for index in 0..<length / 2 { sum &+= unsafe Physical.pointer(frame, UInt16.self)[index] }
    put(0 &- sum, at: InformationPage.checksum)
  }

  private func processor(_ number: Int) {
    let place = InformationPage.firstProcessor + number * InformationPage.processorBytes
    let signature = m_cpuid(1, 0).eax
    put(1 as UInt8, at: place)
    put(0 as UInt8, at: place + 1)
    put(UInt8(number), at: place + 2)
    put(0 as UInt8, at: place + 3)
    put(unsafe UInt8(truncatingIfNeeded: Processors.at(number).pointee.apic), at: place + 4)
    put(UInt8(truncatingIfNeeded: (signature >> 8 & 0xf) + (signature >> 20 & 0xff)), at: place + 5)
    put(UInt8(truncatingIfNeeded: signature >> 4 & 0xf | signature >> 12 & 0xf0), at: place + 6)
    put(UInt8(truncatingIfNeeded: signature & 0xf), at: place + 7)
  }

  private mutating func memory(_ address: UInt64, _ size: UInt64, _ type: Int32, _ auxiliary: UInt64) {
    guard entries < InformationPage.memoryLimit else { return }
    let place = InformationPage.firstMemory + entries * InformationPage.memoryBytes
    put(address, at: place)
    put(size, at: place + 8)
    put(type, at: place + 16)
    put(UInt32(truncatingIfNeeded: auxiliary), at: place + 20)
    entries += 1
  }
}
