import CHypercall

/// Memory for Swift's objects: blocks of powers of two, which are used again for others of their size.
package enum Heap {
  nonisolated(unsafe) private static var next: UInt64 = 0
  nonisolated(unsafe) private static var end: UInt64 = 0
  nonisolated(unsafe) private static var free = InlineArray<40, UInt64>(repeating: 0)
  nonisolated(unsafe) private static var lock: UInt32 = 0
  /// Before each block: its class.
  private static let header: UInt64 = 64

  package static func open(_ address: UInt64, _ size: UInt64) {
    unsafe next = address
    unsafe end = address + size
  }

  static func allocate(_ size: UInt64, alignment: UInt64) -> UInt64? {
    while unsafe h_exchange(&lock, 1) != 0 { h_pause() }
    defer { unsafe h_store32(&lock, 0) }
    // An alignment beyond the header's is had by a block with room for it, whose header is right before the address.
    let wanted = max(size, 64) + header + (alignment > header ? alignment : 0)
    let order = 64 - (wanted - 1).leadingZeroBitCount
    guard order < 40 else { return nil }
    var block = unsafe free[order]
    if block != 0 {
      unsafe free[order] = h_load(block)
    } else {
      guard unsafe end - next >= 1 << UInt64(order) else { return nil }
      block = unsafe next
      unsafe next += 1 << UInt64(order)
    }
    let alignment = max(alignment, header)
    let address = (block + header + alignment - 1) & ~(alignment - 1)
    h_store(address - 16, block)
    h_store(address - 8, UInt64(order))
    return address
  }

  static func release(_ address: UInt64) {
    while unsafe h_exchange(&lock, 1) != 0 { h_pause() }
    let (block, order) = (h_load(address - 16), Int(h_load(address - 8)))
    h_store(block, unsafe free[order])
    unsafe free[order] = block
    unsafe h_store32(&lock, 0)
  }
}

@c(heap_allocate) public func allocate(
  _ out: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ alignment: UInt, _ size: UInt
) -> Int32 {
  guard let address = Heap.allocate(UInt64(size), alignment: UInt64(alignment)) else { return 12 }
  unsafe out.pointee = UnsafeMutableRawPointer(bitPattern: UInt(address))
  return 0
}

@c(heap_free) public func release(_ pointer: UnsafeMutableRawPointer?) {
  if let pointer = unsafe pointer { Heap.release(UInt64(UInt(bitPattern: pointer))) }
}

@c(memcmp) public func memcmp(_ left: UnsafePointer<UInt8>, _ right: UnsafePointer<UInt8>, _ count: UInt) -> Int32 {
  for index in 0..<Int(count) {
    let difference = unsafe Int32(left[index]) - Int32(right[index])
    if difference != 0 { return difference }
    // Or a compiler would make this a call of itself.
    h_barrier()
  }
  return 0
}

/// For hashing only.
@c(arc4random_buf) public func randomBytes(_ buffer: UnsafeMutablePointer<UInt8>, _ count: UInt) {
  for index in 0..<Int(count) { unsafe buffer[index] = UInt8(truncatingIfNeeded: h_rdtsc() &>> UInt64(index & 7)) }
}
