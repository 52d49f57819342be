import Host

/// Whoever may write to a directory can say this of its symlinks: what can be read is written as it was.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: min(size, 1 << 16)))
  guard let owners = LinkOwners(parsing: bytes) else { return 0 }
  precondition(LinkOwners(parsing: owners.bytes) == owners)
  precondition(owners.bytes.count <= bytes.count)
  return 0
}
