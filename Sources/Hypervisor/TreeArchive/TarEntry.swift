/// One entry of a tar archive (POSIX.1-2017, pax): ustar headers, with those of pax and of GNU tar for what does not fit.
struct TarEntry {
  enum Kind { case file, link, symlink, character, block, directory, pipe }

  static let block = 512

  var kind = Kind.file
  /// The path, of which the first part may be empty; both may have a slash at either end.
  var prefix = 0..<0
  var name = 0..<0
  var target = 0..<0
  var mode: UInt32 = 0
  var uid: UInt32 = 0
  var gid: UInt32 = 0
  var modified: Int64 = 0
  var major: UInt32 = 0
  var minor: UInt32 = 0
  var data = 0..<0

  /// What an extended header says of the next entry.
  fileprivate struct Extension {
    var name: Range<Int>?
    var target: Range<Int>?
    var size: UInt64?
    var uid: UInt32?
    var gid: UInt32?
    var modified: Int64?
    /// The file is kept without its holes, by records of GNU tar's.
    var isSparse = false
  }

  /// The entry at `place`, which then is behind it; nil at the archive's end.
  ///
  /// - Throws: where this is no archive, ends in the middle, or has what is not read.
  init?(_ archive: ArchiveBytes, at place: inout Int) throws(TreeError) {
    var more = Extension()
    let first = place
    while true {
      let header = place
      // Two blocks of zeros are the end, of which one is enough: a shorter archive has lost its tail.
      guard header <= archive.count - Self.block else { throw .truncated(place: first) }
      if archive[header] == 0, Self.isZero(archive, header) {
        guard header == first else { throw .damaged(place: header) }
        return nil
      }
      guard Self.isWhole(archive, header) else { throw .damaged(place: header) }
      let size = more.size ?? Self.number(archive, header + 124, 12)
      let start = header + Self.block
      guard size <= UInt64(archive.count - start) else { throw .truncated(place: header) }
      let data = start..<start + Int(size)
      place = data.lowerBound + (data.count + Self.block - 1) & ~(Self.block - 1)
      switch archive[header + 156] {
      case UInt8(ascii: "x"): more.read(archive, data)
      // What holds for all entries, such as a comment, says nothing that matters here.
      case UInt8(ascii: "g"): break
      case UInt8(ascii: "L"): more.name = data.lowerBound..<archive.first(0, in: data)
      case UInt8(ascii: "K"): more.target = data.lowerBound..<archive.first(0, in: data)
      // GNU tar's: without holes; continued from another archive.
      case UInt8(ascii: "S"), UInt8(ascii: "M"): throw .unsupported(place: header)
      default:
        guard !more.isSparse else { throw .unsupported(place: header) }
        guard let kind = Self.kind(archive[header + 156]) else {
          // A volume's label, say.
          more = Extension()
          continue
        }
        self.kind = kind
        fill(archive, header, more)
        // Links have none, whatever the header says.
        if self.kind == .file { self.data = data }
        return
      }
    }
  }

  private static func isZero(_ archive: ArchiveBytes, _ header: Int) -> Bool {
    for offset in 0..<block where archive[header + offset] != 0 { return false }
    return true
  }

  private mutating func fill(_ archive: ArchiveBytes, _ header: Int, _ more: Extension) {
    func text(_ offset: Int, _ count: Int) -> Range<Int> {
      let range = header + offset..<header + offset + count
      return range.lowerBound..<archive.first(0, in: range)
    }
    name = more.name ?? text(0, 100)
    // GNU tar's own header has other things there, and older ones nothing.
    if more.name == nil, Self.isPOSIX(archive, header) { prefix = text(345, 155) }
    // Before there was a kind for directories, a slash said so.
    if kind == .file, name.last.map({ archive[$0] }) == UInt8(ascii: "/") { kind = .directory }
    target = more.target ?? text(157, 100)
    mode = UInt32(truncatingIfNeeded: Self.number(archive, header + 100, 8)) & 0o7777
    uid = more.uid ?? UInt32(truncatingIfNeeded: Self.number(archive, header + 108, 8))
    gid = more.gid ?? UInt32(truncatingIfNeeded: Self.number(archive, header + 116, 8))
    modified = more.modified ?? Int64(truncatingIfNeeded: Self.number(archive, header + 136, 12))
    major = UInt32(truncatingIfNeeded: Self.number(archive, header + 329, 8))
    minor = UInt32(truncatingIfNeeded: Self.number(archive, header + 337, 8))
  }

  /// Whether the header says "ustar" and a zero.
  private static func isPOSIX(_ archive: ArchiveBytes, _ header: Int) -> Bool {
    let magic: InlineArray<6, UInt8> = [117, 115, 116, 97, 114, 0]
    for index in magic.indices where archive[header + 257 + index] != magic[index] { return false }
    return true
  }

  private static func kind(_ type: UInt8) -> Kind? {
    switch type {
    case 0, UInt8(ascii: "0"), UInt8(ascii: "7"): .file
    case UInt8(ascii: "1"): .link
    case UInt8(ascii: "2"): .symlink
    case UInt8(ascii: "3"): .character
    case UInt8(ascii: "4"): .block
    // The second with a list of what was in it, of GNU tar's.
    case UInt8(ascii: "5"), UInt8(ascii: "D"): .directory
    case UInt8(ascii: "6"): .pipe
    default: nil
    }
  }

  /// Whether the header's bytes add up to what it says, its own field taken for spaces.
  private static func isWhole(_ archive: ArchiveBytes, _ header: Int) -> Bool {
    var sum: UInt64 = 0
    for offset in 0..<block { sum += UInt64((148..<156).contains(offset) ? 32 : archive[header + offset]) }
    return sum == number(archive, header + 148, 8)
  }

  /// Octal digits; or, as GNU tar has it where those are too few, a number of base 256 behind a first byte of 0x80.
  private static func number(_ archive: ArchiveBytes, _ place: Int, _ count: Int) -> UInt64 {
    var value: UInt64 = 0
    if archive[place] & 0x80 != 0 {
      value = UInt64(archive[place] & 0x7f)
      for index in 1..<count { value = value << 8 | UInt64(archive[place + index]) }
      return value
    }
    for index in 0..<count {
      let byte = archive[place + index]
      if byte == 32, value == 0 { continue }
      guard byte >= 48, byte < 56 else { break }
      value = value << 3 | UInt64(byte - 48)
    }
    return value
  }
}

extension TarEntry.Extension {
  /// Records of pax: their length, a space, a name, an equals sign, a value, and the end of the line.
  fileprivate mutating func read(_ archive: ArchiveBytes, _ data: Range<Int>) {
    var place = data.lowerBound
    while place < data.upperBound {
      let space = archive.first(32, in: place..<data.upperBound)
      let length = Self.number(archive, place..<space)
      guard space < data.upperBound, length > UInt64(space - place), length <= UInt64(data.upperBound - place) else {
        return
      }
      let end = place + Int(length) - 1
      let equals = archive.first(UInt8(ascii: "="), in: space + 1..<max(end, space + 1))
      let value = min(equals + 1, end)..<end
      take(archive, space + 1..<equals, value)
      place = end + 1
    }
  }

  private mutating func take(_ archive: ArchiveBytes, _ key: Range<Int>, _ value: Range<Int>) {
    func isPrefix(_ name: StaticString) -> Bool {
      guard key.count >= name.utf8CodeUnitCount else { return false }
      // Within the literal.
      for index in 0..<name.utf8CodeUnitCount
      where unsafe archive[key.lowerBound + index] != name.utf8Start[index] { return false }
      return true
    }
    func isKey(_ name: StaticString) -> Bool { key.count == name.utf8CodeUnitCount && isPrefix(name) }
    if isPrefix("GNU.sparse.") { isSparse = true }
    if isKey("path") { name = value }
    if isKey("linkpath") { target = value }
    if isKey("size") { size = Self.number(archive, value) }
    if isKey("uid") { uid = UInt32(truncatingIfNeeded: Self.number(archive, value)) }
    if isKey("gid") { gid = UInt32(truncatingIfNeeded: Self.number(archive, value)) }
    // A fraction is dropped.
    if isKey("mtime") { modified = Int64(truncatingIfNeeded: Self.number(archive, value)) }
  }

  /// Decimal digits, as many as there are.
  private static func number(_ archive: ArchiveBytes, _ range: Range<Int>) -> UInt64 {
    var value: UInt64 = 0
    for place in range {
      let byte = archive[place]
      guard byte >= 48, byte < 58 else { break }
      let (tenfold, isBeyond) = value.multipliedReportingOverflow(by: 10)
      let (sum, isFurther) = tenfold.addingReportingOverflow(UInt64(byte - 48))
      // More than anything can have.
      guard !isBeyond, !isFurther else { return .max }
      value = sum
    }
    return value
  }
}
