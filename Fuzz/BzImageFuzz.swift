import Boot

/// Any bytes are a bzImage or an error, and so is any setup header; what is loaded lies within the file.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let file = unsafe UnsafeBufferPointer(start: data, count: size).span
  if let setup = try? SetupHeader(file, isHeaderOnly: true) {
    precondition(BootParameters(setup).bytes.count == BootParameters.size)
  }
  guard let image = try? KernelImage(file) else { return 0 }
  for segment in image.segments { precondition(segment.fileOffset + segment.fileSize <= UInt64(size)) }
  if let map = try? MemoryMap(size: 1 << 30), let plan = try? BootPlan(image, map, BootPlan.Options()) {
    precondition(plan.entry.instructionPointer >= 0x10_0000)
  }
  return 0
}
