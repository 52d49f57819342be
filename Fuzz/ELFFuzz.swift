import Boot

/// Any bytes are an ELF image or an error; an image can be planned, or not, and its segments lie within the file.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let file = unsafe UnsafeBufferPointer(start: data, count: size).span
  guard let image = try? ELFImage(file) else { return 0 }
  var end: UInt64 = 0
  for segment in image.segments {
    precondition(segment.fileOffset + segment.fileSize <= UInt64(size))
    precondition(segment.address >= end)
    end = segment.end
  }
  precondition(image.segments.contains { $0.address <= image.entry && image.entry < $0.end })

  var options = BootPlan.Options()
  options.initramfsSize = UInt64(size) << 12
  guard let map = try? MemoryMap(size: 1 << 30), let plan = try? BootPlan(KernelImage(image), map, options) else {
    return 0
  }
  if let initramfs = plan.initramfs {
    precondition(map.low.contains(initramfs.lowerBound) && initramfs.upperBound <= map.low.upperBound)
    precondition(!initramfs.overlaps(plan.kernel.footprint))
  }
  return 0
}
