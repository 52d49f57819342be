/// A cpio archive in the "new ASCII" form, the one that the kernel unpacks as its first root
/// (Documentation/driver-api/early-userspace/buffer-format.rst). Equal contents give equal bytes: times are 0.
package struct NewcArchive {
  package private(set) var bytes: [UInt8] = []
  private var inode = 1

  private static let headerSize = 110
  private static let directoryMode = 0o040000
  private static let fileMode = 0o100000
  private static let characterDeviceMode = 0o020000

  package init() {}

  package mutating func add(directory name: String) {
    append(name, mode: Self.directoryMode | 0o755, links: 2)
  }

  package mutating func add(file name: String, permissions: Int = 0o644, _ data: [UInt8]) {
    append(name, mode: Self.fileMode | permissions, data: data)
  }

  package mutating func add(characterDevice name: String, major: Int, minor: Int) {
    append(name, mode: Self.characterDeviceMode | 0o600, device: (major, minor))
  }

  /// The archive with its trailer.
  package func finished() -> [UInt8] {
    var archive = self
    archive.inode = 0
    archive.append("TRAILER!!!", mode: 0)
    return archive.bytes
  }

  private mutating func append(
    _ name: String, mode: Int, links: Int = 1, device: (major: Int, minor: Int) = (0, 0), data: [UInt8] = []
  ) {
    let fields = [
      inode, mode, 0, 0, links, 0, data.count,
      0, 0, device.major, device.minor, name.utf8.count + 1, 0,
    ]
    bytes.append(contentsOf: "070701".utf8)
    for field in fields {
      let digits = String(UInt32(truncatingIfNeeded: field), radix: 16, uppercase: true)
      bytes.append(contentsOf: repeatElement(0x30, count: 8 - digits.utf8.count))
      bytes.append(contentsOf: digits.utf8)
    }
    bytes.append(contentsOf: name.utf8)
    bytes.append(0)
    pad()
    bytes.append(contentsOf: data)
    pad()
    inode += 1
  }

  private mutating func pad() {
    bytes.append(contentsOf: repeatElement(0, count: -bytes.count & 3))
  }
}

extension NewcArchive {
  /// The contents of an archive's first entry, if it is a file of that name, and where the next entry begins.
  package static func firstFile(_ name: String, of archive: [UInt8]) -> (data: Range<Int>, next: Int)? {
    guard archive.hasPrefix(Array("070701".utf8)), archive.count >= headerSize else { return nil }
    let field = { (index: Int) -> Int? in
      let start = 6 + index * 8
      return Int(String(decoding: archive[start..<(start + 8)], as: UTF8.self), radix: 16)
    }
    guard let size = field(6), size >= 0, field(11) == name.utf8.count + 1,
      archive.cString(at: headerSize) == name
    else { return nil }
    let start = (headerSize + name.utf8.count + 1 + 3) & ~3
    let (next, overflow) = start.addingReportingOverflow((size + 3) & ~3)
    guard !overflow, next <= archive.count else { return nil }
    return (start..<(start + size), next)
  }
}
