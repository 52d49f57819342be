import CLinux
import Glibc

/// A path as Linux has it: bytes, which need not be text.
public struct Path: Equatable, Sendable, ExpressibleByStringInterpolation, CustomStringConvertible {
  public var bytes: [UInt8]

  public init(_ bytes: [UInt8]) { self.bytes = bytes }
  public init(_ text: String) { bytes = Array(text.utf8) }
  public init(stringLiteral text: String) { self.init(text) }

  package var isEmpty: Bool { bytes.isEmpty }

  /// The path itself if it is absolute, else where it leads from a directory.
  package func absolute(in directory: [UInt8]) -> Path {
    let slash = UInt8(ascii: "/")
    return bytes.first == slash ? self : Path(directory + (directory.last == slash ? [] : [slash]) + bytes)
  }

  /// The directory that its last name is in.
  package var parent: Path {
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == 0 ? "/" : Path(Array(bytes[..<slash]))
  }

  /// For people, not for system calls: see ``Swift/String/init(printable:)``.
  public var description: String { String(printable: bytes) }

  /// The path with something behind its last name.
  package static func + (path: Path, suffix: String) -> Path { Path(path.bytes + Array(suffix.utf8)) }

  /// Lends the path with its NUL. What follows a NUL of its own is lost, so whoever takes paths from elsewhere than a
  /// command line checks for that.
  func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    let terminated = bytes + [0]
    // Never null: there is at least the NUL, and the array lives through the call.
    return unsafe terminated.withUnsafeBytes { unsafe body($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
  }
}

extension FileDescriptor {
  /// open(2), with `O_CLOEXEC` always set.
  ///
  /// - Parameter mode: permissions of a file made by `O_CREAT`.
  package static func open(_ path: Path, _ flags: Int32, mode: UInt32 = 0) throws(Errno) -> FileDescriptor {
    FileDescriptor(owning: try checked(unsafe path.withCString { unsafe clinux_open($0, flags | O_CLOEXEC, mode) }))
  }
}
