import CMachine

// What compilers call for copies and fills, wherever they see fit.

@c(memset) func memset(_ to: UnsafeMutableRawPointer, _ value: Int32, _ count: UInt) -> UnsafeMutableRawPointer {
  unsafe m_fill_bytes(to, UInt8(truncatingIfNeeded: value), UInt64(count))
  return unsafe to
}

@c(memcpy) func memcpy(
  _ to: UnsafeMutableRawPointer, _ from: UnsafeRawPointer, _ count: UInt
) -> UnsafeMutableRawPointer {
  unsafe m_copy_bytes(to, from, UInt64(count))
  return unsafe to
}

@c(memmove) func memmove(
  _ to: UnsafeMutableRawPointer, _ from: UnsafeRawPointer, _ count: UInt
) -> UnsafeMutableRawPointer {
  if UInt(bitPattern: to) &- UInt(bitPattern: from) >= count {
    unsafe m_copy_bytes(to, from, UInt64(count))
  } else {
    var index = Int(count)
    while index > 0 {
      index &-= 1
      unsafe to.storeBytes(of: from.load(fromByteOffset: index, as: UInt8.self), toByteOffset: index, as: UInt8.self)
      m_barrier()
    }
  }
  return unsafe to
}
