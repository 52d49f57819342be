internal import LittleEndian

/// Reads a state, all of whose checks hold. Whoever restores a part takes its section; what is left at the end and must be known
/// is refused.
package struct StateReader {
  private struct Section {
    let tag: StateTag
    let instance: UInt32
    let version: UInt16
    let isRequired: Bool
    let payload: Range<Int>
    var isTaken = false
  }

  private let bytes: [UInt8]
  private var sections: [Section] = []
  /// Of the novm that wrote it: ``StateFormat/major``, or the one before it.
  package let major: UInt16

  package init(_ bytes: [UInt8]) throws(StateError) {
    guard bytes.count <= StateFormat.sizeLimit else { throw .tooLarge }
    guard bytes.count >= StateFormat.headerSize, bytes.starts(with: StateFormat.magic) else { throw .notAState }
    major = bytes.field(at: 8)
    guard major > 0, major == StateFormat.major || major &+ 1 == StateFormat.major else { throw .version(major: major) }
    guard bytes.field(UInt32.self, at: 12) == 0 else { throw .notAState }
    self.bytes = bytes
    var place = StateFormat.headerSize
    while true {
      let start = place
      let section = try Self.section(bytes, &place)
      if section.tag == .end {
        guard place == bytes.count, section.payload.count == SHA256.size else { throw .cutShort }
        guard SHA256.digest(bytes[..<start]).elementsEqual(bytes[section.payload]) else { throw .damaged(.end) }
        return
      }
      guard sections.count < StateFormat.sectionLimit else { throw .tooLarge }
      if sections.contains(where: { $0.tag == section.tag && $0.instance == section.instance }) {
        throw .repeated(section.tag, instance: section.instance)
      }
      sections.append(section)
    }
  }

  private static func section(_ bytes: [UInt8], _ place: inout Int) throws(StateError) -> Section {
    let header = place
    guard bytes.count - header >= StateFormat.sectionHeaderSize else { throw .cutShort }
    guard let tag = StateTag(rawValue: bytes.field(at: header)) else { throw .notAState }
    let length = Int(bytes.field(UInt32.self, at: header + 12))
    let start = header + StateFormat.sectionHeaderSize
    guard length <= bytes.count - start else { throw .cutShort }
    place = start + length
    var check = CRC32C()
    check.update(bytes[header..<(header + 16)])
    check.update(bytes[start..<place])
    guard check.value == bytes.field(at: header + 16) else { throw .damaged(tag) }
    return Section(
      tag: tag, instance: bytes.field(at: header + 4), version: bytes.field(at: header + 8),
      isRequired: bytes.field(UInt16.self, at: header + 10) & StateFormat.required != 0, payload: start..<place)
  }

  /// The fields of a section; nil if there is none.
  package mutating func take(_ tag: StateTag, instance: UInt32 = 0) throws(StateError) -> FieldReader? {
    guard let index = sections.firstIndex(where: { $0.tag == tag && $0.instance == instance }) else { return nil }
    sections[index].isTaken = true
    return try FieldReader(tag, version: sections[index].version, bytes, sections[index].payload)
  }

  /// The fields of a section that must be there.
  package mutating func require(_ tag: StateTag, instance: UInt32 = 0) throws(StateError) -> FieldReader {
    guard let fields = try take(tag, instance: instance) else { throw .missing(tag, instance: instance) }
    return fields
  }

  /// All sections as they stand.
  package var contents: [(tag: StateTag, instance: UInt32, payload: [UInt8])] {
    sections.map { (tag: $0.tag, instance: $0.instance, payload: [UInt8](bytes[$0.payload])) }
  }

  /// Everything is restored: refuses what nobody knew and what must be known.
  package func finish() throws(StateError) {
    for section in sections where section.isRequired && !section.isTaken {
      throw .unknownSection(section.tag, instance: section.instance)
    }
  }
}

/// Reads the fields of a section, in any order.
package struct FieldReader {
  private struct Field {
    let id: UInt16
    let isRequired: Bool
    let value: Range<Int>
    var isTaken = false
  }

  package let tag: StateTag
  package let version: UInt16
  private let bytes: [UInt8]
  private var fields: [Field] = []

  init(_ tag: StateTag, version: UInt16, _ bytes: [UInt8], _ payload: Range<Int>) throws(StateError) {
    self.tag = tag
    self.version = version
    self.bytes = bytes
    var place = payload.lowerBound
    while place < payload.upperBound {
      let start = place + StateFormat.fieldHeaderSize
      guard start <= payload.upperBound else { throw .cutShort }
      let id: UInt16 = bytes.field(at: place)
      let length = Int(bytes.field(UInt32.self, at: place + 4))
      guard length <= payload.upperBound - start else { throw .cutShort }
      // In order, so that a repeated one is seen without a search.
      if let last = fields.last, last.id >= id { throw .value(tag, id: id) }
      let isRequired = bytes.field(UInt16.self, at: place + 2) & StateFormat.required != 0
      fields.append(Field(id: id, isRequired: isRequired, value: start..<(start + length)))
      place = start + length
    }
  }

  private mutating func find(_ id: UInt16) -> Range<Int>? {
    var (low, high) = (0, fields.count)
    while low < high {
      let middle = (low + high) / 2
      if fields[middle].id < id { low = middle + 1 } else { high = middle }
    }
    guard low < fields.count, fields[low].id == id else { return nil }
    fields[low].isTaken = true
    return fields[low].value
  }

  /// A number, which may be written with more or fewer bytes than it has here.
  ///
  /// - Parameter absent: what it is where the field is not there; nil if it must be.
  package mutating func number<T: FixedWidthInteger & UnsignedInteger>(
    _ id: UInt16, absent: T? = nil
  ) throws(StateError) -> T {
    guard let place = find(id) else {
      guard let absent else { throw .value(tag, id: id) }
      return absent
    }
    guard (1...8).contains(place.count) else { throw .value(tag, id: id) }
    var value: UInt64 = 0
    for (index, byte) in bytes[place].enumerated() { value |= UInt64(byte) << (8 * UInt64(index)) }
    guard let number = T(exactly: value) else { throw .value(tag, id: id) }
    return number
  }

  /// A number, or nil where the field is not there.
  package mutating func optional<T: FixedWidthInteger & UnsignedInteger>(_ id: UInt16) throws(StateError) -> T? {
    guard find(id) != nil else { return nil }
    let value: T = try number(id)
    return value
  }

  /// What is said of a field that holds what cannot be.
  package func fault(_ id: UInt16) -> StateError { .value(tag, id: id) }

  /// A number within bounds.
  package mutating func number<T: FixedWidthInteger & UnsignedInteger>(
    _ id: UInt16, in range: ClosedRange<T>, absent: T? = nil
  ) throws(StateError) -> T {
    let value: T = try number(id, absent: absent)
    guard range.contains(value) else { throw .value(tag, id: id) }
    return value
  }

  package mutating func flag(_ id: UInt16, absent: Bool? = nil) throws(StateError) -> Bool {
    let absent: UInt8? = absent.map { $0 ? 1 : 0 }
    return try number(id, in: 0...1, absent: absent) == 1
  }

  /// Bytes, of which there are no more than `limit`; none where the field is not there.
  package mutating func bytes(_ id: UInt16, limit: Int) throws(StateError) -> [UInt8] {
    guard let place = find(id) else { return [] }
    guard place.count <= limit else { throw .value(tag, id: id) }
    return [UInt8](bytes[place])
  }

  /// All that is known was read: refuses what was not, and must be known.
  package func finish() throws(StateError) {
    for field in fields where field.isRequired && !field.isTaken { throw .unknownField(tag, id: field.id) }
  }
}
