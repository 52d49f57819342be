import Glibc
import Host

/// The system's own accounts (passwd(5)).
///
/// Not by getpwuid(3): that loads libraries as the system is set up, which a static executable cannot rely on.
enum Accounts {
  /// The home directory of a user, if `file` tells one.
  static func home(of user: UInt32, in file: String = "/etc/passwd") -> String? {
    guard let descriptor = try? FileDescriptor.open(file, O_RDONLY) else { return nil }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while let count = try? descriptor.read(into: &buffer), count > 0 { bytes += buffer[..<count] }
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      // NAME:PASSWORD:UID:GID:GECOS:HOME:SHELL
      let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
      guard fields.count == 7, UInt32(String(decoding: fields[2], as: UTF8.self)) == user else { continue }
      let home = String(decoding: fields[5], as: UTF8.self)
      return home.hasPrefix("/") ? home : nil
    }
    return nil
  }
}
