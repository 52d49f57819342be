import Devices

/// A frame, whole or cut where the filter is given no more of it: none passes that leads to this host's loopback, by whatever way
/// one counts where its destination is, and all that passes cut passes whole.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let frame = Array(UnsafeBufferPointer(start: data, count: min(size, 256)))
  let head = Array(frame.prefix(LoopbackFilter.prefixSize))
  let passes = LoopbackFilter.passes(head.span)
  precondition(passes == LoopbackFilter.passes(frame.span))
  guard passes, frame.count >= 14 else { return 0 }
  let kind = UInt16(frame[12]) << 8 | UInt16(frame[13])
  // A frame that ends before it says where it goes goes nowhere.
  if kind == 0x0800 {
    precondition(frame.count >= 34 && frame[30] != 127 && frame[30] != 0)
  } else if kind == 0x86dd {
    precondition(frame.count >= 54)
    let words = (0..<8).map { UInt16(frame[38 + 2 * $0]) << 8 | UInt16(frame[39 + 2 * $0]) }
    let isMapped = words[..<5].allSatisfy { $0 == 0 } && words[5] == 0xffff
    let isOwn = words[..<7].allSatisfy { $0 == 0 } && words[7] < 2
    precondition(!isMapped && !isOwn)
  }
  return 0
}
