import Glibc
import Host
import NovmKit

/// What `--env-file` takes, as Docker has it: a line is `NAME=VALUE`, the value as it stands, or `NAME` alone.
enum EnvironmentFile {
  private static let limit = 1 << 20

  /// Its lines as ``ProcessOptions/env`` has them.
  static func lines(_ path: String) throws -> [String] {
    let bytes: [UInt8]
    do throws(Errno) {
      bytes = try read(path)
    } catch {
      throw CommandFailure("--env-file: \(ByteString.printable(path)): \(error.description)")
    }
    if bytes.count > limit || bytes.contains(0) {
      throw CommandFailure("--env-file: \(ByteString.printable(path)): no list of variables")
    }
    var lines: [String] = []
    for (number, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      var line = line.drop { $0 == 0x20 || $0 == 0x09 }
      if line.last == 0x0d { line.removeLast() }
      guard let first = line.first, first != UInt8(ascii: "#") else { continue }
      let name = line.prefix { $0 != UInt8(ascii: "=") }
      guard !name.isEmpty, !name.contains(where: { $0 == 0x20 || $0 == 0x09 }) else {
        throw CommandFailure("\(ByteString.printable(path)):\(number + 1): is not NAME=VALUE")
      }
      lines.append(ByteString.string(Array(line)))
    }
    return lines
  }

  private static func read(_ path: String) throws(Errno) -> [UInt8] {
    let file = try FileDescriptor.open(Path(ByteString.bytes(path)), O_RDONLY)
    var contents: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 14)
    while contents.count <= limit {
      let count = try file.read(into: &buffer)
      if count == 0 { break }
      contents += buffer[..<count]
    }
    return contents
  }
}
