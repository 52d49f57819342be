import LittleEndian

/// Writes ACPI Machine Language (ACPI 6.5, 20.2): only what a description of devices needs.
package struct AMLWriter {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  /// `Scope (name) { … }`
  package mutating func scope(_ name: String, _ body: (inout AMLWriter) -> Void) {
    package(opcode: [0x10], name: name, body)
  }

  /// `Device (name) { … }`
  package mutating func device(_ name: String, _ body: (inout AMLWriter) -> Void) {
    package(opcode: [0x5b, 0x82], name: name, body)
  }

  /// `Method (name, arguments, Serialized) { … }`
  package mutating func method(_ name: String, arguments: UInt8, _ body: (inout AMLWriter) -> Void) {
    var inner = AMLWriter()
    inner.append(name: name)
    inner.bytes.append((arguments & 7) | 1 << 3)
    body(&inner)
    append(opcode: [0x14], counted: inner.bytes)
  }

  /// `Name (name, value)`
  package mutating func name(_ name: String, _ value: UInt64) {
    bytes.append(0x08)
    append(name: name)
    append(integer: value)
  }

  /// `Name (name, "value")`
  package mutating func name(_ name: String, string value: String) {
    bytes.append(0x08)
    append(name: name)
    bytes.append(0x0d)
    bytes.append(ascii: value)
    bytes.append(0)
  }

  /// `Name (name, EisaId ("PNP0501"))`: three letters of five bits and four hexadecimal digits, high byte first
  /// (19.3.4).
  package mutating func name(_ name: String, eisaID: String) {
    var letters: UInt32 = 0
    var digits: UInt32 = 0
    for (index, byte) in eisaID.utf8.enumerated() {
      if index < 3 {
        letters = letters << 5 | UInt32(byte & 0x1f)
      } else {
        digits = digits << 4 | UInt32(byte <= 0x39 ? byte & 0xf : (byte & 0xf) + 9)
      }
    }
    bytes.append(0x08)
    append(name: name)
    bytes.append(0x0c)
    bytes.append(field: (letters << 16 | digits).byteSwapped)
  }

  /// `Name (name, Package () { … })` of integers
  package mutating func name(_ name: String, package values: [UInt64]) {
    var inner = AMLWriter()
    inner.bytes.append(UInt8(truncatingIfNeeded: values.count))
    for value in values { inner.append(integer: value) }
    bytes.append(0x08)
    append(name: name)
    append(opcode: [0x12], counted: inner.bytes)
  }

  /// `Name (_CRS, ResourceTemplate () { … })`
  package mutating func resources(_ resources: [ACPIResource]) {
    var template: [UInt8] = []
    for resource in resources { resource.append(to: &template) }
    template.append(contentsOf: [0x79, 0])  // end tag; a checksum of zero is not checked (6.4.2.9)
    var inner = AMLWriter()
    inner.append(integer: UInt64(template.count))
    inner.bytes.append(contentsOf: template)
    bytes.append(0x08)
    append(name: "_CRS")
    append(opcode: [0x11], counted: inner.bytes)
  }

  /// `If (Arg0 == value) { Notify (device, notification) }`
  package mutating func notify(_ device: String, _ notification: UInt64, ifArgumentIs value: UInt64) {
    var inner = AMLWriter()
    inner.bytes.append(contentsOf: [0x93, 0x68])  // LEqual, Arg0
    inner.append(integer: value)
    inner.bytes.append(0x86)
    inner.append(name: device)
    inner.append(integer: notification)
    append(opcode: [0xa0], counted: inner.bytes)
  }

  /// A device made elsewhere.
  package mutating func append(_ device: ACPIDevice) { bytes.append(contentsOf: device.aml) }

  private mutating func package(opcode: [UInt8], name: String, _ body: (inout AMLWriter) -> Void) {
    var inner = AMLWriter()
    inner.append(name: name)
    body(&inner)
    append(opcode: opcode, counted: inner.bytes)
  }

  /// One segment of four characters, padded with underscores (20.2.2). Names found by walking up the scopes need no
  /// more.
  private mutating func append(name: String) {
    bytes.append(ascii: name)
    bytes.append(contentsOf: repeatElement(0x5f, count: max(0, 4 - name.utf8.count)))
  }

  /// In the shortest form (20.2.3).
  private mutating func append(integer value: UInt64) {
    switch value {
    case 0, 1: bytes.append(UInt8(value))
    case ...0xff: bytes.append(contentsOf: [0x0a, UInt8(value)])
    case ...0xffff:
      bytes.append(0x0b)
      bytes.append(field: UInt16(value))
    case ...0xffff_ffff:
      bytes.append(0x0c)
      bytes.append(field: UInt32(value))
    default:
      bytes.append(0x0e)
      bytes.append(field: value)
    }
  }

  /// A length that counts itself: six bits in one byte, else four bits and one to three bytes more (20.2.4).
  private mutating func append(opcode: [UInt8], counted body: [UInt8]) {
    bytes.append(contentsOf: opcode)
    if body.count + 1 < 1 << 6 {
      bytes.append(UInt8(body.count + 1))
    } else {
      let more = body.count + 2 < 1 << 12 ? 1 : body.count + 3 < 1 << 20 ? 2 : 3
      let length = UInt32(truncatingIfNeeded: body.count + 1 + more)
      bytes.append(UInt8(more) << 6 | UInt8(length & 0xf))
      for index in 0..<more { bytes.append(UInt8(truncatingIfNeeded: length >> UInt32(4 + 8 * index))) }
    }
    bytes.append(contentsOf: body)
  }
}
