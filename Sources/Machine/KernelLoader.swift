import Boot
import GuestMemory
import Host

/// Puts kernel, initramfs and boot data into RAM. Whole pages are mapped from their files, not copied.
struct KernelLoader {
  private let kernel: OpenFile
  private let initramfs: OpenFile?
  private let setup: [UInt8]?

  init(_ description: MachineDescription) throws(MachineError) {
    kernel = try OpenFile(description.kernel)
    initramfs = if let path = description.initramfs { try OpenFile(path) } else { nil }
    setup = if let path = description.setup { try OpenFile(path).contents() } else { nil }
  }

  /// - Parameter options: completed with the initramfs's size.
  /// - Returns: how the first vCPU enters the kernel.
  func load(
    into ram: GuestRAM, _ map: MemoryMap, _ options: BootPlan.Options
  ) throws(MachineError) -> EntryState {
    var options = options
    options.initramfsSize = UInt64(initramfs?.size ?? 0)
    do {
      let setup: SetupHeader? = if let setup { try SetupHeader(setup.span, isHeaderOnly: true) } else { nil }
      let image = try kernel.mapping.withSpan { (bytes) throws(BootError) in try KernelImage(bytes, setup: setup) }
      let plan = try BootPlan(image, map, options)
      for segment in image.segments {
        guard let pages = segment.mappable else { continue }
        try overlay(kernel, ram, at: pages.address, count: Int(pages.size), fileOffset: Int(pages.fileOffset))
      }
      try kernel.mapping.withSpan { (bytes) throws(BootError) in
        try plan.loadKernel(bytes, into: ram.memory, mapped: true)
      }
      if let initramfs, let place = plan.initramfs {
        try overlay(initramfs, ram, at: place.lowerBound, count: initramfs.size, fileOffset: 0)
      }
      try plan.loadBootData(into: ram.memory)
      return plan.entry
    } catch {
      throw .boot(error)
    }
  }

  private func overlay(
    _ file: OpenFile, _ ram: GuestRAM, at address: UInt64, count: Int, fileOffset: Int
  ) throws(BootError) {
    do {
      try ram.overlay(file.descriptor, at: address, count: count, fileOffset: fileOffset)
    } catch {
      throw .cannotWrite(address: address)
    }
  }
}

/// A regular file that the machine reads, open and mapped.
final class OpenFile {
  let descriptor: FileDescriptor
  let mapping: MemoryMapping
  let size: Int

  init(_ path: Path) throws(MachineError) {
    do {
      descriptor = try FileDescriptor.open(path, readOnly)
      size = try descriptor.regularFileSize()
      mapping = try MemoryMapping(descriptor, count: size)
    } catch {
      throw .file(path: path, error)
    }
  }

  func contents() -> [UInt8] {
    mapping.withSpan { span in span.indices.map { span[$0] } }
  }
}

private let readOnly: Int32 = 0  // O_RDONLY
