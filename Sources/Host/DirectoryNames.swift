import CLinux
import Glibc

/// What an open directory has in it.
package enum DirectoryNames {
  /// getdents64(2): the names, sorted, without `.` and `..`, and without a NUL.
  package static func list(_ directory: Int32) throws(Errno) -> [[UInt8]] {
    var names: [[UInt8]] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    try FileCalls.seekDirectory(directory, to: 0)
    while true {
      let count = try FileCalls.directoryEntries(directory, into: &buffer)
      if count == 0 { break }
      var position = 0
      // struct linux_dirent64: inode 8, offset 8, length 2, type 1, name with its NUL.
      while position + 20 <= count {
        let length = Int(buffer[position + 16]) | Int(buffer[position + 17]) << 8
        guard length >= 20, position + length <= count else { throw .inputOutput }
        let name = Array(buffer[(position + 19)..<(position + length)].prefix { $0 != 0 })
        if name != [0x2e], name != [0x2e, 0x2e] { names.append(name) }
        position += length
      }
    }
    return names.sorted { $0.lexicographicallyPrecedes($1) }
  }
}
