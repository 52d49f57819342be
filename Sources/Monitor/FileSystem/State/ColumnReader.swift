import Host
import LittleEndian
internal import State

/// A column of a table in a state: of each row the same, one after the other; or rows that have something, with that.
struct ColumnReader {
  private let bytes: [UInt8]
  private var place = 0
  /// What is said of a column that holds what cannot be.
  let fault: StateError

  /// A column that is not there is empty.
  init(_ id: UInt16, of fields: inout FieldReader) throws(StateError) {
    bytes = try fields.bytes(id, limit: .max)
    fault = fields.fault(id)
  }

  var isAtEnd: Bool { place == bytes.count }

  mutating func number<T: FixedWidthInteger & UnsignedInteger>(_: T.Type = T.self) throws(StateError) -> T {
    let size = T.bitWidth / 8
    guard size <= bytes.count - place else { throw fault }
    defer { place += size }
    return bytes.field(at: place)
  }

  /// The number of something of which there are `count`.
  mutating func index(of count: Int) throws(StateError) -> Int {
    let number = try number(UInt32.self)
    guard number < count else { throw fault }
    return Int(number)
  }

  mutating func time() throws(StateError) -> FileTime {
    let seconds = Int64(bitPattern: try number())
    let nanoseconds: UInt32 = try number()
    guard nanoseconds < 1_000_000_000 else { throw fault }
    return FileTime(seconds: seconds, nanoseconds: nanoseconds)
  }

  /// So many bytes as the number before them says.
  mutating func text() throws(StateError) -> ArraySlice<UInt8> {
    let count = Int(try number(UInt32.self))
    guard count <= bytes.count - place else { throw fault }
    defer { place += count }
    return bytes[place..<place + count]
  }

  /// The name of something in a directory, with its NUL.
  mutating func name() throws(StateError) -> [UInt8] {
    var end = place
    while end < bytes.count, bytes[end] != 0 {
      guard bytes[end] != UInt8(ascii: "/"), end - place < 255 else { throw fault }
      end += 1
    }
    guard end < bytes.count else { throw fault }
    defer { place = end + 1 }
    let name = [UInt8](bytes[place...end])
    guard !DirectoryReader.isDot(name.span) else { throw fault }
    return name
  }

  func finish() throws(StateError) {
    guard isAtEnd else { throw fault }
  }
}

extension [UInt8] {
  mutating func append(_ time: FileTime) {
    append(field: UInt64(bitPattern: time.seconds))
    append(field: time.nanoseconds)
  }
}
