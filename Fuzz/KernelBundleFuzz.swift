import KernelBundle

/// The first byte picks the reader, the rest is its file: a kernel image, a module, a payload of each format, an initramfs.
/// Any bytes are what they should be or an error, and what is found in a file lies within it.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let input = unsafe [UInt8](UnsafeBufferPointer(start: data, count: size))
  guard let first = input.first else { return 0 }
  let file = Array(input.dropFirst())
  switch Int(first) % 12 {
  case 0:
    if let image = try? BzImage(file) {
      precondition(image.payload.upperBound <= file.count && image.setupHeader.count <= file.count)
      if let kernel = try? image.kernel() { precondition(kernel.bytes.count == image.promisedSize) }
    }
  case 1:
    if let kernel = try? KernelImage(file) {
      precondition(kernel.buildID.map { $0.utf8.count <= 2 * file.count } ?? true)
    }
  case 2:
    if let elf = try? ELFImage(file) {
      for section in elf.sections() { precondition(section.fileRange.upperBound <= file.count) }
      for note in elf.notes() { precondition(note.payload.upperBound <= file.count) }
      for segment in (try? elf.segments()) ?? [] { precondition(segment.fileRange.upperBound <= file.count) }
      if let library = try? KernelLibrary(elf) { precondition(library.executable.count <= file.count + 4096) }
    }
  case 3: _ = try? ModuleInfo(module: file)
  case 4:
    if let replaced = Initramfs.replacing(noguest: [1, 2, 3], in: file) {
      precondition(Initramfs.replacing(noguest: [1, 2, 3], in: replaced) == replaced)
    }
  default:
    let format = Compression.allCases[(Int(first) % 12 - 5) % Compression.allCases.count]
    let limit = 1 << 20
    if let output = try? format.decompress(file, 0..<file.count, limit: limit) { precondition(output.count <= limit) }
  }
  return 0
}
