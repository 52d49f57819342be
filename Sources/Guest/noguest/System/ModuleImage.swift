import CGuest

/// A kernel module's file in memory, and the signature that may be behind it (the kernel's
/// include/linux/module_signature.h): bytes, then a `struct module_signature` with their length, then a mark.
@safe struct ModuleImage: ~Copyable {
  private static let mark: Bytes = "~Module signature appended~\n"
  /// Of `struct module_signature`, whose last four bytes are the length, big-endian.
  private static let trailerSize = 12

  /// A private mapping of `size` bytes, which is this value's alone until it ends.
  private let start: UnsafeMutableRawPointer
  private let size: Int

  init(_ file: borrowing Descriptor) throws(SystemError) {
    let size = try check(lseek(file.number, 0, SEEK_END))
    guard let start = unsafe mmap(nil, size, PROT_READ, MAP_PRIVATE, file.number, 0),
      Int(bitPattern: start) != -1
    else { throw .last }
    unsafe self.start = unsafe start
    self.size = size
  }

  deinit { unsafe munmap(start, size) }

  /// Bytes before the signature; nil without one.
  private var unsignedSize: Int? {
    let tail = Self.trailerSize + Self.mark.count
    guard size >= tail else { return nil }
    // The last `tail` bytes are within the mapping.
    let bytes = unsafe Bytes(UnsafeRawBufferPointer(start: start + size - tail, count: tail))
    guard bytes[Self.trailerSize...].elementsEqual(Self.mark) else { return nil }
    let length = bytes[(Self.trailerSize - 4)..<Self.trailerSize].reduce(0) { $0 << 8 | Int($1) }
    return length <= size - tail ? size - tail - length : nil
  }

  /// init_module(2) of the module without its signature.
  ///
  /// - Returns: false if it has none.
  func loadUnsigned(_ parameters: Bytes) throws(SystemError) -> Bool {
    guard let unsignedSize else { return false }
    try check(unsafe parameters.withCString { unsafe cguest_init_module(start, unsignedSize, $0) })
    return true
  }
}
