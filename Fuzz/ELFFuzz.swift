import Boot
import GuestMemory

/// Any bytes are an ELF image or an error; an image can be planned, or not, where it was linked or elsewhere, and its segments
/// lie within the file. What is behind it is relocations, or nothing: those change the kernel and nothing beside it.
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
  precondition(image.fileEnd <= size)

  let kernel = KernelImage(image)
  var options = BootPlan.Options()
  options.initramfsSize = UInt64(size) << 12
  guard let map = try? MemoryMap(size: 1 << 30), let plan = try? BootPlan(kernel, map, options) else { return 0 }
  if let initramfs = plan.initramfs {
    precondition(map.low.contains(initramfs.lowerBound) && initramfs.upperBound <= map.low.upperBound)
    precondition(!initramfs.overlaps(plan.kernel.footprint))
  }
  guard let relocations = KernelRelocations(kernel, file), kernel.entries.linux64 != nil else { return 0 }
  let number = UInt64(size) &* 0x9e37_79b9_7f4a_7c15
  options.placement = KernelPlacement(
    kernel, map, initramfs: plan.initramfs, CommandLine(), numbers: (number, number >> 7))
  guard let moved = try? BootPlan(kernel, map, options) else { preconditionFailure("a place that is none") }
  relocate(kernel, by: options.placement, relocations, file)
  precondition(moved.kernel.footprint.count == kernel.footprint.count)
  return 0
}

/// In memory that is a little larger than the kernel, if that is small.
private func relocate(
  _ kernel: KernelImage, by placement: KernelPlacement, _ relocations: KernelRelocations, _ file: Span<UInt8>
) {
  let room = 4096
  let count = kernel.footprint.count + 2 * room
  guard count < 1 << 20 else { return }
  let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 4096)
  defer { unsafe bytes.deallocate() }
  unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
  let base = kernel.footprint.lowerBound + placement.physical - UInt64(room)
  let memory = unsafe GuestMemory(regions: [GuestMemory.Region(base: base, bytes: bytes)])
  try? BootPlan.relocate(kernel, by: placement, relocations, file, in: memory)
  for index in 0..<room { precondition(unsafe bytes[index] == 0 && bytes[count - room + index] == 0) }
}
