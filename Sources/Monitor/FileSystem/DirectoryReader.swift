import Host

/// Reads a host directory through getdents64(2) into one buffer that is used again and again.
struct DirectoryReader {
  /// One record: where its name is in the buffer, and what the host says of it.
  struct Entry {
    let inode: UInt64
    /// Where the directory goes on after this entry.
    let next: UInt64
    /// DT_* as in readdir(3).
    let type: UInt8
    let name: Range<Int>
  }

  static let typeUnknown: UInt8 = 0
  static let typeCharacterDevice: UInt8 = 2
  static let typeDirectory: UInt8 = 4
  static let typeRegular: UInt8 = 8
  static let typeSymlink: UInt8 = 10

  private(set) var buffer: [UInt8]
  private var filled = 0
  private var position = 0
  private var isAtEnd = false
  /// Where the next entry is in the directory, as the host counts.
  private(set) var offset: UInt64 = 0

  /// A small buffer, which most directories fit in, and the one that the others get.
  private static let bufferSize = 4096
  private static let largeBufferSize = 32768

  init() { buffer = [UInt8](repeating: 0, count: DirectoryReader.bufferSize) }

  /// Goes to an offset that an entry gave as its `next`, or to 0.
  mutating func seek(_ descriptor: Int32, to offset: UInt64) throws(Errno) {
    if offset == self.offset { return }
    try FileCalls.seekDirectory(descriptor, to: offset)
    isAtEnd = false
    filled = 0
    position = 0
    self.offset = offset
  }

  /// The next entry, without moving past it; nil at the end.
  mutating func peek(_ descriptor: Int32) throws(Errno) -> Entry? {
    while true {
      if position >= filled {
        if isAtEnd { return nil }
        if filled > DirectoryReader.bufferSize / 2, buffer.count < DirectoryReader.largeBufferSize {
          buffer = [UInt8](repeating: 0, count: DirectoryReader.largeBufferSize)
        }
        filled = try FileCalls.directoryEntries(descriptor, into: &buffer)
        position = 0
        isAtEnd = filled == 0
        if isAtEnd { return nil }
      }
      // struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name with NUL.
      let length = Int(buffer[position + 16]) | Int(buffer[position + 17]) << 8
      guard length >= 20, position + length <= filled else { throw .inputOutput }
      let name = position + 19
      let limit = position + min(length, 19 + 256)
      var end = name
      while end < limit, buffer[end] != 0, buffer[end] != UInt8(ascii: "/") { end += 1 }
      // Names that the guest cannot ask for, whatever the host's file system calls a name, are not there.
      guard end > name, end < limit, buffer[end] == 0 else {
        position += length
        continue
      }
      return Entry(
        inode: load64(position), next: load64(position + 8), type: buffer[position + 18], name: name..<end)
    }
  }

  /// Moves past the entry that `peek` gave.
  mutating func advance(past entry: Entry) {
    position += Int(buffer[position + 16]) | Int(buffer[position + 17]) << 8
    offset = entry.next
  }

  /// The name with its NUL.
  func name(_ entry: Entry) -> [UInt8] {
    [UInt8](buffer[entry.name.lowerBound...entry.name.upperBound])
  }

  private func load64(_ at: Int) -> UInt64 {
    // One check for all of them makes it one load.
    let bytes = buffer.span.extracting(at..<at + 8)
    var value: UInt64 = 0
    for index in 0..<8 { value |= UInt64(bytes[index]) << UInt64(index * 8) }
    return value
  }

  static func isDot(_ name: Span<UInt8>) -> Bool {
    let dot = UInt8(ascii: ".")
    return (name.count == 2 && name[0] == dot) || (name.count == 3 && name[0] == dot && name[1] == dot)
  }

  /// Whether the host has nothing in a directory; false too when it cannot be read.
  static func isEmpty(_ directory: SharedDescriptor) -> Bool {
    let dot: [UInt8] = [UInt8(ascii: "."), 0]
    guard let opened = try? FileCalls.openBeneath(directory.raw, dot.span, OpenFlags.directory) else { return false }
    var reader = DirectoryReader()
    do throws(Errno) {
      while let entry = try reader.peek(opened.raw) {
        if !isDot(reader.name(entry).span) { return false }
        reader.advance(past: entry)
      }
      return true
    } catch {
      return false
    }
  }
}
