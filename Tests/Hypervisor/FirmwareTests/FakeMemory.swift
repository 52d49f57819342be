import Firmware
import LittleEndian

/// Memory that a test lays out; what it did not is not there.
struct FakeMemory: PhysicalMemory {
  private var bytes: [UInt64: UInt8] = [:]

  func byte(at address: UInt64) -> UInt8? { bytes[address] }

  mutating func put(_ new: [UInt8], at address: UInt64) {
    for (index, byte) in new.enumerated() { bytes[address + UInt64(index)] = byte }
  }

  mutating func put<T: FixedWidthInteger & UnsignedInteger>(_ value: T, at address: UInt64) {
    put(littleEndian(value), at: address)
  }

  mutating func put(_ text: String, at address: UInt64) { put(Array(text.utf8) + [0], at: address) }

  /// A table of ACPI's with this body, whose bytes sum up to 0.
  mutating func putTable(_ signature: String, _ body: [UInt8], at address: UInt64) {
    var table = Array(signature.utf8) + littleEndian(UInt32(36 + body.count)) + [UInt8](repeating: 0, count: 28) + body
    table[9] = 0 &- table.reduce(0, &+)
    put(table, at: address)
  }
}
