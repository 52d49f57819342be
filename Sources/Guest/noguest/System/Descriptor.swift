import CGuest

/// An open file, closed when its owner lets go of it.
struct Descriptor: ~Copyable {
  let number: Int32

  /// Takes over a descriptor that nobody else closes.
  init(owning number: Int32) { self.number = number }

  deinit { close(number) }

  /// close_range(2), or before Linux 5.9 one by one: every descriptor from a number on.
  static func closeAll(from first: Int32) {
    if cguest_close_range(UInt32(first)) == 0 { return }
    for number in first..<4096 { close(number) }
  }

  /// open(2), with `O_CLOEXEC`.
  static func open(_ path: Bytes, _ flags: Int32, mode: UInt32 = 0) throws(SystemError) -> Descriptor {
    Descriptor(owning: try check(unsafe path.withCString { unsafe cguest_open($0, flags | O_CLOEXEC, mode) }))
  }

  /// read(2) at most `limit` bytes, and no more than ``readLimit``, appended to `bytes`. Answers how many; zero is the end
  /// of the file.
  func read(into bytes: inout Bytes, limit: Int = Self.readLimit) throws(SystemError) -> Int {
    let limit = min(limit, Self.readLimit)
    var result = 0
    bytes.append(addingCapacity: limit) { room in
      unsafe room.withUnsafeMutableBufferPointer { buffer, count in
        // There is room for `limit` bytes behind the `count` that are there.
        result = unsafe CGuest.read(number, buffer.baseAddress! + count, min(limit, buffer.count - count))
        count += max(0, result)
      }
    }
    return try check(result)
  }

  static let readLimit = 64 << 10

  /// write(2) of `bytes` from `offset` on. Answers how many were taken.
  func write(_ bytes: Bytes, from offset: Int = 0) throws(SystemError) -> Int {
    guard offset < bytes.count else { return 0 }
    // The slice is within the array, which lives through the call.
    return try check(
      unsafe bytes.withUnsafeBufferPointer { unsafe CGuest.write(number, $0.baseAddress! + offset, $0.count - offset) })
  }

  /// fcntl(2), `O_NONBLOCK`.
  func setNonBlocking() throws(SystemError) {
    let flags = try check(cguest_fcntl(number, F_GETFL, 0))
    try check(cguest_fcntl(number, F_SETFL, Int(flags | O_NONBLOCK)))
  }
}

/// pipe2(2), with `O_CLOEXEC`.
struct Pipe: ~Copyable {
  let reader: Descriptor
  let writer: Descriptor

  init() throws(SystemError) {
    var ends: [Int32] = [-1, -1]
    try check(unsafe ends.withUnsafeMutableBufferPointer { unsafe pipe2($0.baseAddress, O_CLOEXEC) })
    reader = Descriptor(owning: ends[0])
    writer = Descriptor(owning: ends[1])
  }

  /// Keeps one end and closes the other.
  consuming func takeReader() -> Descriptor { reader }
  consuming func takeWriter() -> Descriptor { writer }
}
