import CHypercall

// What compilers call for copies and fills, and a heap: what is freed is used again for blocks of the same size class.

@c(memset) public func memset(_ to: UnsafeMutableRawPointer, _ value: Int32, _ count: UInt) -> UnsafeMutableRawPointer {
  unsafe h_fill_bytes(to, UInt8(truncatingIfNeeded: value), UInt64(count))
  return unsafe to
}

@c(memcpy) public func memcpy(
  _ to: UnsafeMutableRawPointer, _ from: UnsafeRawPointer, _ count: UInt
) -> UnsafeMutableRawPointer {
  unsafe h_copy_bytes(to, from, UInt64(count))
  return unsafe to
}

@c(memmove) public func memmove(
  _ to: UnsafeMutableRawPointer, _ from: UnsafeRawPointer, _ count: UInt
) -> UnsafeMutableRawPointer {
  if UInt(bitPattern: to) &- UInt(bitPattern: from) >= count {
    unsafe h_copy_bytes(to, from, UInt64(count))
  } else {
    // The end goes first: what is at the destination may be wanted.
    unsafe h_copy_bytes_down(to, from, UInt64(count))
  }
  return unsafe to
}

/// The least whole number that is not less: what dictionaries size themselves by.
@c(ceil) public func ceil(_ value: Double) -> Double {
  // From there on all are whole.
  guard value.magnitude < 0x1p52 else { return value }
  let whole = Double(Int64(value))
  return whole < value ? whole + 1 : whole
}
