import CLinux
import Glibc

/// Host memory from mmap(2), unmapped when its life ends.
@safe
public final class MemoryMapping: @unchecked Sendable {
  private let base: UnsafeMutableRawPointer

  /// Length in bytes.
  public let count: Int

  package static let hugePage = 2 << 20

  /// What private memory consists of.
  public enum Pages: Equatable, Sendable {
    /// Of 4 KiB.
    case small
    /// Of 2 MiB where the host has them to spare; the memory is aligned to that. A guest then takes one fault, which is an
    /// exit, where it would take 512.
    case transparentHuge
    /// Of 2 MiB that the host's operator has set aside (hugetlbfs); all of them are promised at once.
    case reservedHuge
  }

  /// Private zeroed memory: pages come when touched. Without swap reservation, unless they are reserved themselves.
  ///
  /// - Parameter count: bytes; a multiple of 2 MiB for reserved pages.
  /// - Throws: `ENOMEM` also where too few pages are set aside.
  public init(anonymous count: Int, pages: Pages = .small) throws(Errno) {
    let slack = pages == .transparentHuge ? Self.hugePage : 0
    // The size of the pages as a power of two lies in the upper bits (mmap(2), MAP_HUGE_2MB).
    let flags = pages == .reservedHuge ? MAP_HUGETLB | 21 << MAP_HUGE_SHIFT : MAP_NORESERVE
    let start = unsafe try Self.map(
      count + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0)
    let skip = slack == 0 ? 0 : -Int(bitPattern: start) & (Self.hugePage - 1)
    unsafe base = start + skip
    self.count = count
    // Some hosts give huge pages to whoever does not ask for small ones. A refusal costs nothing but that.
    if pages == .small { unsafe madvise(base, count, MADV_NOHUGEPAGE) }
    guard slack > 0 else { return }
    if skip > 0 { unsafe munmap(start, skip) }
    if skip < slack { unsafe munmap(base + count, slack - skip) }
    unsafe madvise(base, count, MADV_HUGEPAGE)  // A refusal costs speed only.
  }

  /// Has all pages of private memory there, with what they have: zeros at first, or a file's data (`replace`).
  ///
  /// - Throws: `ENOMEM`, `EHWPOISON`.
  public func populate() throws(Errno) {
    // From Linux 5.14 on.
    if unsafe madvise(base, count, Int32(clinux_MADV_POPULATE_WRITE)) == 0 { return }
    guard Errno.current == Errno(EINVAL) else { throw .current }
    touch()
  }

  /// Has all pages there by writing to each what is in it.
  package func touch() {
    for offset in stride(from: 0, to: count, by: 4096) { unsafe clinux_touch(base + offset) }
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
