import CLinux
import Glibc

/// Host memory from mmap(2), unmapped when its life ends.
@safe
public final class MemoryMapping: @unchecked Sendable {
  private let base: UnsafeMutableRawPointer

  /// Length in bytes.
  public let count: Int

  private static let hugePage = 2 << 20

  /// Private zeroed memory without swap reservation: pages come when touched.
  ///
  /// - Parameter prefersHugePages: aligns the memory to 2 MiB and asks for transparent huge pages: a guest then takes one
  ///   fault, which is an exit, where it would take 512.
  public init(anonymous count: Int, prefersHugePages: Bool = false) throws(Errno) {
    let slack = prefersHugePages ? Self.hugePage : 0
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    let start = unsafe try Self.map(count + slack, PROT_READ | PROT_WRITE, flags, -1, 0)
    let skip = slack == 0 ? 0 : -Int(bitPattern: start) & (Self.hugePage - 1)
    unsafe base = start + skip
    self.count = count
    guard slack > 0 else { return }
    if skip > 0 { unsafe munmap(start, skip) }
    if skip < slack { unsafe munmap(base + count, slack - skip) }
    unsafe madvise(base, count, MADV_HUGEPAGE)  // A refusal costs speed only.
  }

  /// `count` bytes of a file from its start.
  ///
  /// - Parameter isWritable: shared and writable; else private and read-only.
  public init(_ file: borrowing FileDescriptor, count: Int, isWritable: Bool = false) throws(Errno) {
    unsafe base = try Self.map(
      count, isWritable ? PROT_READ | PROT_WRITE : PROT_READ, isWritable ? MAP_SHARED : MAP_PRIVATE, file.raw, 0)
    self.count = count
  }

  deinit { unsafe munmap(base, count) }

  /// All bytes; valid for as long as the mapping lives.
  @unsafe public var bytes: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
  }

  /// Lends all bytes for reading. Another process may change the file meanwhile: trust nothing that was checked before.
  public func withSpan<Result, Failure: Error>(
    _ body: (Span<UInt8>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let buffer = unsafe UnsafeBufferPointer(start: base.assumingMemoryBound(to: UInt8.self), count: count)
    return try body(unsafe buffer.span)
  }

  private static func map(
    _ count: Int, _ protection: Int32, _ flags: Int32, _ file: Int32, _ offset: Int
  ) throws(Errno) -> UnsafeMutableRawPointer {
    let mapped = unsafe mmap(nil, count, protection, flags, file, offset)
    if unsafe clinux_map_failed(mapped) != 0 { throw .current }
    return unsafe mapped!
  }
}
