internal import LittleEndian

/// Writes a state.
package struct StateWriter {
  private var bytes: [UInt8]

  package init() {
    bytes = StateFormat.magic
    bytes.append(field: StateFormat.major)
    bytes.append(field: StateFormat.minor)
    bytes.append(field: UInt32(0))
  }

  /// Adds a section. No other one has the same tag and instance.
  ///
  /// - Parameters:
  ///   - version: of its fields.
  ///   - isRequired: whether a reader who does not know it must refuse the state.
  package mutating func add(
    _ tag: StateTag, instance: UInt32 = 0, version: UInt16 = 1, isRequired: Bool = true, _ fields: FieldWriter
  ) { add(tag, instance, version, isRequired, fields.bytes) }

  /// Adds a section with any payload, for tests.
  package mutating func add(_ tag: StateTag, instance: UInt32 = 0, payload: [UInt8]) {
    add(tag, instance, 1, true, payload)
  }

  private mutating func add(
    _ tag: StateTag, _ instance: UInt32, _ version: UInt16, _ isRequired: Bool, _ payload: [UInt8]
  ) {
    var header: [UInt8] = []
    header.append(field: tag.rawValue)
    header.append(field: instance)
    header.append(field: version)
    header.append(field: isRequired ? StateFormat.required : 0)
    header.append(field: UInt32(clamping: payload.count))
    var check = CRC32C()
    check.update(header[...])
    check.update(payload[...])
    bytes += header
    bytes.append(field: check.value)
    bytes += payload
  }

  /// The whole stream.
  package consuming func finish() -> [UInt8] {
    let digest = SHA256.digest(bytes[...])
    add(.end, 0, 1, true, digest)
    return bytes
  }
}

/// Writes the fields of a section. An id is never used anew for something else.
package struct FieldWriter {
  private(set) var bytes: [UInt8] = []
  private var last = -1

  package init() {}

  /// Ids rise from field to field.
  ///
  /// - Parameter isRequired: whether a reader who does not know the field must refuse the state.
  package mutating func put<T: FixedWidthInteger & UnsignedInteger>(_ id: UInt16, _ value: T, isRequired: Bool = true) {
    put(id, littleEndian(value), isRequired: isRequired)
  }

  package mutating func put(_ id: UInt16, _ value: Bool, isRequired: Bool = true) {
    put(id, [value ? 1 : 0], isRequired: isRequired)
  }

  package mutating func put(_ id: UInt16, _ value: [UInt8], isRequired: Bool = true) {
    assert(Int(id) > last, "ids rise")
    last = Int(id)
    bytes.append(field: id)
    bytes.append(field: isRequired ? StateFormat.required : 0)
    bytes.append(field: UInt32(clamping: value.count))
    bytes += value
  }
}
