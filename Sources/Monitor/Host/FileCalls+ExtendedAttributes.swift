import CLinux
import Glibc

/// Attributes by name. Needs `/proc`.
extension FileCalls {
  /// lgetxattr(2); nil where there is no such attribute, or no attributes at all.
  package static func attribute(
    _ directory: Int32, _ name: Span<UInt8>, _ attribute: [UInt8]
  ) throws(Errno) -> [UInt8]? {
    do {
      return try unsafe bytes(capacity: 256) {
        unsafe getAttribute(directory, name, attribute, $0)
      }
    } catch {
      if error == Errno(ERANGE) {
        return try unsafe bytes(capacity: 65536) {
          unsafe getAttribute(directory, name, attribute, $0)
        }
      }
      if error == Errno(ENODATA) || error == Errno(EOPNOTSUPP) { return nil }
      throw error
    }
  }

  /// lgetxattr(2) into a fixed buffer; nil where there is none, or it does not fit. Allocates nothing.
  package static func shortAttribute(
    _ directory: Int32, _ name: Span<UInt8>, _ attribute: [UInt8], into buffer: inout InlineArray<128, UInt8>
  ) -> Int? {
    var span = buffer.mutableSpan
    let result = unsafe span.withUnsafeMutableBufferPointer { unsafe getAttribute(directory, name, attribute, $0) }
    return result < 0 ? nil : result
  }

  /// Whether there is an attribute, however long.
  package static func hasAttribute(_ directory: Int32, _ name: Span<UInt8>, _ attribute: [UInt8]) -> Bool {
    var nothing = InlineArray<1, UInt8>(repeating: 0)
    var span = nothing.mutableSpan
    let result = unsafe span.withUnsafeMutableBufferPointer {
      // A length of 0 asks for the attribute's.
      unsafe getAttribute(directory, name, attribute, UnsafeMutableBufferPointer(rebasing: $0[..<0]))
    }
    return result >= 0
  }

  private static func getAttribute(
    _ directory: Int32, _ name: Span<UInt8>, _ attribute: [UInt8], _ buffer: UnsafeMutableBufferPointer<UInt8>
  ) -> Int {
    let link = DescriptorPath(directory, name)
    return unsafe path(attribute.span) { attribute in
      unsafe link.withPath { path in
        unsafe name.count == 1
          ? getxattr(path, attribute, buffer.baseAddress!, buffer.count)
          : lgetxattr(path, attribute, buffer.baseAddress!, buffer.count)
      }
    }
  }

  /// lsetxattr(2).
  package static func setAttribute(
    _ directory: Int32, _ name: Span<UInt8>, _ attribute: [UInt8], _ value: [UInt8], flags: Int32 = 0
  ) throws(Errno) {
    let link = DescriptorPath(directory, name)
    try checked(
      unsafe path(attribute.span) { attribute in
        unsafe value.withUnsafeBytes { value in
          unsafe link.withPath { path in
            unsafe name.count == 1
              ? setxattr(path, attribute, value.baseAddress, value.count, flags)
              : lsetxattr(path, attribute, value.baseAddress, value.count, flags)
          }
        }
      })
  }

  /// lremovexattr(2).
  package static func removeAttribute(
    _ directory: Int32, _ name: Span<UInt8>, _ attribute: [UInt8]
  ) throws(Errno) {
    let link = DescriptorPath(directory, name)
    try checked(
      unsafe path(attribute.span) { attribute in
        unsafe link.withPath {
          unsafe name.count == 1 ? removexattr($0, attribute) : lremovexattr($0, attribute)
        }
      })
  }

  package static func attributeNames(_ descriptor: Int32) throws(Errno) -> [UInt8] {
    let itself = itself
    return try attributeNames(descriptor, itself.span)
  }

  /// llistxattr(2): the names, each with its NUL; empty where the file system has no attributes.
  package static func attributeNames(_ directory: Int32, _ name: Span<UInt8>) throws(Errno) -> [UInt8] {
    do {
      return try unsafe bytes(capacity: 1024) { unsafe listAttributes(directory, name, $0) }
    } catch {
      if error == Errno(ERANGE) {
        return try unsafe bytes(capacity: 65536) { unsafe listAttributes(directory, name, $0) }
      }
      if error == Errno(EOPNOTSUPP) { return [] }
      throw error
    }
  }

  private static func listAttributes(
    _ directory: Int32, _ name: Span<UInt8>, _ buffer: UnsafeMutableBufferPointer<UInt8>
  ) -> Int {
    let link = DescriptorPath(directory, name)
    let list = unsafe UnsafeMutableRawPointer(buffer.baseAddress!).assumingMemoryBound(to: CChar.self)
    return unsafe link.withPath {
      unsafe name.count == 1 ? listxattr($0, list, buffer.count) : llistxattr($0, list, buffer.count)
    }
  }
}
