/// The kernel's command line: bytes, without their terminating zero.
package struct CommandLine {
  package private(set) var bytes: [UInt8] = []

  package init() {}
  package init(_ text: String) { bytes = Array(text.utf8) }
  package init(bytes: [UInt8]) { self.bytes = bytes }

  /// Appends one parameter, a space before it where needed.
  package mutating func append(_ parameter: String) {
    if !bytes.isEmpty { bytes.append(0x20) }
    bytes.append(contentsOf: parameter.utf8)
  }

  /// Appends the words of another one.
  package mutating func append(_ other: CommandLine) {
    if !bytes.isEmpty, !other.bytes.isEmpty { bytes.append(0x20) }
    bytes.append(contentsOf: other.bytes)
  }

  /// Names the port and the byte by which a machine without ACPI is switched off, to `noguest`
  /// (docs/architecture.md, "The kernel command line").
  package mutating func appendPowerOff(port: UInt16, value: UInt8) {
    append("novm.power-off=")
    bytes.append(digits: UInt64(port), radix: 10)
    bytes.append(ascii: ":")
    bytes.append(digits: UInt64(value), radix: 10)
  }

  /// Names a virtio-mmio device to a kernel that knows no ACPI
  /// (Documentation/admin-guide/kernel-parameters.txt, `virtio_mmio.device=<size>@<baseaddr>:<irq>`).
  package mutating func appendVirtioMMIO(base: UInt64, size: UInt64, interrupt: UInt32) {
    append("virtio_mmio.device=0x")
    bytes.append(digits: size, radix: 16)
    bytes.append(ascii: "@0x")
    bytes.append(digits: base, radix: 16)
    bytes.append(ascii: ":")
    bytes.append(digits: UInt64(interrupt), radix: 10)
  }

  /// Whether the kernel's addresses are to be the ones that it was linked for.
  package var wantsNoRandomisation: Bool { words.contains { $0.elementsEqual("nokaslr".utf8) } }

  /// Whether the kernel is to do without some of the memory that there is.
  var boundsMemory: Bool { words.contains { $0.starts(with: "mem=".utf8) || $0.starts(with: "memmap=".utf8) } }

  private var words: [ArraySlice<UInt8>] { bytes.split { $0 <= 0x20 } }

  /// Throws unless the kernel takes it whole.
  func check(limit: Int) throws(BootError) {
    guard bytes.count <= limit else { throw .commandLineTooLong(length: bytes.count, limit: limit) }
    guard !bytes.contains(0) else { throw .commandLineHoldsZero }
  }
}

extension Array where Element == UInt8 {
  fileprivate mutating func append(digits value: UInt64, radix: UInt64) {
    var digits: [UInt8] = []
    var rest = value
    repeat {
      let digit = UInt8(rest % radix)
      digits.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
      rest /= radix
    } while rest > 0
    append(contentsOf: digits.reversed())
  }
}
