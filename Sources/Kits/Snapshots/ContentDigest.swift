import Host
import LittleEndian
import Packs
import Store

/// The digest of a file's or a tree's contents, which takes no notice of where a file has holes and where zeros: copies of a file
/// differ in that.
struct ContentDigest {
  private static let chunk = 1 << 16

  private var hash = SHA256()
  private var buffer: [UInt8] = []
  /// Files that have several names, by their inode number: which of them it is.
  private var named: [UInt64: UInt64] = [:]

  mutating func finish() -> Digest { hash.digest() }

  /// Bytes that are not zero, with their place, and the length.
  mutating func add(file opened: borrowing FileDescriptor) throws(Errno) {
    let file = opened.raw
    let length = try FileCalls.status(file).length
    if buffer.isEmpty { buffer = [UInt8](repeating: 0, count: Self.chunk) }
    let chunk = UInt64(Self.chunk)
    var offset: UInt64 = 0
    while offset < length {
      do throws(Errno) {
        // From the start of the chunk that the next data are in.
        let data = try FileCalls.seek(file, offset, whence: 3)
        offset = max(offset, data / chunk * chunk)
      } catch {
        if error == .noSuchDevice { break }
      }
      let count = try read(file, at: offset)
      if count == 0 { break }
      if buffer[..<count].contains(where: { $0 != 0 }) {
        hash.update(littleEndian(offset))
        hash.update(littleEndian(UInt64(count)))
        hash.update(buffer, count: count)
      }
      offset += UInt64(count)
    }
    hash.update(littleEndian(UInt64.max))
    hash.update(littleEndian(length))
  }

  /// A whole chunk, if there is as much.
  private mutating func read(_ file: Int32, at offset: UInt64) throws(Errno) -> Int {
    var filled = 0
    while filled < Self.chunk {
      var part = filled == 0 ? buffer : [UInt8](repeating: 0, count: Self.chunk - filled)
      let count = try FileCalls.read(file, at: offset + UInt64(filled), into: &part)
      if count == 0 { break }
      if filled == 0 {
        swap(&buffer, &part)
      } else {
        buffer.replaceSubrange(filled..<(filled + count), with: part[..<count])
      }
      filled += count
    }
    return filled
  }

  /// All that ``Store/TreeCopy`` copies.
  mutating func add(tree: borrowing FileDescriptor) throws(Errno) {
    let itself = FileCalls.itself
    try add(tree.raw, itself, try FileCalls.status(tree.raw))
    try addContents(tree, depth: 0)
  }

  private mutating func addContents(_ opened: borrowing FileDescriptor, depth: Int) throws(Errno) {
    let directory = opened.raw
    guard depth < TreeCopy.depthLimit else { throw .tooManySymlinks }
    for bytes in try FileCalls.names(directory) {
      let name = bytes + [0]
      let status = try FileCalls.status(directory, name.span)
      add(name)
      try add(directory, name, status)
      if status.isDirectory {
        try addContents(try FileCalls.openBeneath(directory, name.span, OpenFlags.directory), depth: depth + 1)
      }
    }
    // What follows is of the directory above.
    add([])
  }

  private mutating func add(_ bytes: [UInt8]) {
    hash.update(littleEndian(UInt64(bytes.count)))
    hash.update(bytes)
  }

  private mutating func add(_ directory: Int32, _ name: [UInt8], _ status: FileStatus) throws(Errno) {
    if !status.isDirectory, status.links > 1 {
      let number = named[status.inode] ?? UInt64(named.count)
      hash.update(littleEndian(number))
      guard named.updateValue(number, forKey: status.inode) == nil else { return }
    }
    hash.update(littleEndian(UInt64(status.mode)))
    if status.isWhiteout { return }
    hash.update(littleEndian(UInt64(status.uid) << 32 | UInt64(status.gid)))
    hash.update(littleEndian(UInt64(status.specialMajor) << 32 | UInt64(status.specialMinor)))
    hash.update(littleEndian(UInt64(bitPattern: status.modified.seconds)))
    hash.update(littleEndian(status.modified.nanoseconds))
    let attributes = try FileCalls.attributeNames(directory, name.span).split(separator: 0).map { Array($0) + [0] }
    for attribute in attributes.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      // A label that a copy has from its own place.
      if attribute.starts(with: "security.selinux".utf8) { continue }
      add(attribute)
      add(try FileCalls.attribute(directory, name.span, attribute) ?? [])
    }
    if status.isSymlink { add(try FileCalls.readLink(directory, name.span)) }
    if status.isRegular { try add(file: try FileCalls.openRegular(directory, name.span, OpenFlags.read)) }
  }
}
