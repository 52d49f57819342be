import Boot
import CLinux
import GuestMemory
import Host
import LittleEndian

/// Puts kernel, initramfs and boot data into RAM, each read straight to its place
/// (docs/decisions/0016-kernels-are-copied.md), the kernel to a place that nobody can know
/// (docs/decisions/0001-enter-vmlinux-directly.md).
///
/// The kernel is read and relocated on a thread of its own meanwhile: KVM_CREATE_VM waits about 10 ms for an RCU grace period.
final class KernelLoader {
  private let ram: GuestRAM
  private let image: KernelImage
  private let initramfs: [OpenFile]
  private let initramfsSize: UInt64
  private let reading: Thread
  private let failure: Failure
  let randomisation: KernelRandomisation

  /// Opens the files and begins to read the kernel.
  init(_ description: MachineDescription, _ ram: GuestRAM, _ map: MemoryMap) throws(MachineError) {
    let kernel = try OpenFile(description.kernel)
    var initramfs: [OpenFile] = []
    for path in description.initramfs { initramfs.append(try OpenFile(path)) }
    self.initramfs = initramfs
    let setup: [UInt8]? = if let path = description.setup { try OpenFile(path).contents() } else { nil }
    let image: KernelImage
    do {
      let header: SetupHeader? = if let setup { try SetupHeader(setup.span, isHeaderOnly: true) } else { nil }
      image = try kernel.mapping.withSpan { (bytes) throws(BootError) in try KernelImage(bytes, setup: header) }
    } catch {
      throw .boot(error)
    }
    let initramfsSize = initramfs.reduce(0) { Self.aligned($0) + UInt64($1.size) }
    let commandLine = CommandLine(bytes: description.commandLine)
    var relocations: KernelRelocations?
    if !description.isRandomised || commandLine.wantsNoRandomisation {
      randomisation = .off
    } else if image.fileEnd == nil {
      randomisation = .byItself
    } else {
      if image.entries.linux64 != nil {
        relocations = kernel.mapping.withSpan { KernelRelocations(image, $0) }
      }
      randomisation =
        relocations == nil
        ? .impossible : .placed(try Self.place(image, map, initramfsSize: initramfsSize, commandLine))
    }
    self.ram = ram
    self.image = image
    self.initramfsSize = initramfsSize
    let failure = Failure()
    self.failure = failure
    let placement = randomisation.placement
    do {
      reading = try Thread("kernel") {
        do throws(MachineError) {
          for segment in image.segments {
            let place = segment.address &+ placement.physical
            try kernel.read(at: segment.fileOffset, into: try ram.slice(at: place, count: segment.fileSize))
          }
          guard let relocations else { return }
          do throws(BootError) {
            try kernel.mapping.withSpan { (file) throws(BootError) in
              try BootPlan.relocate(image, by: placement, relocations, file, in: ram.memory)
            }
          } catch {
            throw .boot(error)
          }
        } catch {
          failure.error = error
        }
      }
    } catch {
      throw .host("thread", error)
    }
  }

  private static func place(
    _ image: KernelImage, _ map: MemoryMap, initramfsSize: UInt64, _ commandLine: CommandLine
  ) throws(MachineError) -> KernelPlacement {
    let random = RandomBytes.make(16)
    let numbers: (UInt64, UInt64) = (random.field(at: 0), random.field(at: 8))
    do throws(BootError) {
      let initramfs = try BootPlan.placeInitramfs(initramfsSize, image, map)
      return KernelPlacement(image, map, initramfs: initramfs, commandLine, numbers: numbers)
    } catch {
      throw .boot(error)
    }
  }

  /// Completes what the guest finds in RAM. To be called once.
  ///
  /// - Parameter options: completed with what files there are, and where the kernel lies.
  /// - Returns: how the first vCPU enters the kernel.
  func finish(_ map: MemoryMap, _ options: BootPlan.Options) throws(MachineError) -> EntryState {
    var options = options
    options.initramfsSize = initramfsSize
    options.placement = randomisation.placement
    options.isRandomised = randomisation.isPlaced
    if case .off = randomisation, image.fileEnd == nil {
      // Its own unpacker is to leave it where it is. Before the rest: what follows a word of two hyphens is for init.
      var line = CommandLine("nokaslr")
      line.append(options.commandLine)
      options.commandLine = line
    }
    let plan = try boot { () throws(BootError) in try BootPlan(image, map, options) }
    reading.join()
    // What the plan says of a kernel that does not fit is the better word.
    if let error = failure.error { throw error }
    if let place = plan.initramfs {
      var offset: UInt64 = 0
      for archive in initramfs {
        offset = Self.aligned(offset)
        try archive.read(at: 0, into: ram.slice(at: place.lowerBound + offset, count: UInt64(archive.size)))
        offset += UInt64(archive.size)
      }
    }
    try boot { () throws(BootError) in try plan.loadBootData(into: ram.memory) }
    return plan.entry
  }

  private func boot<Result>(_ body: () throws(BootError) -> Result) throws(MachineError) -> Result {
    do throws(BootError) { return try body() } catch { throw .boot(error) }
  }

  /// Where an archive may begin behind another one (Linux, init/initramfs.c).
  private static func aligned(_ offset: UInt64) -> UInt64 { (offset + 3) & ~3 }

  /// What the thread ran into. Read after its end.
  private final class Failure: @unchecked Sendable {
    var error: MachineError?
  }
}

/// A regular file that the machine reads, open and mapped.
final class OpenFile {
  private let path: Path
  let descriptor: FileDescriptor
  let mapping: MemoryMapping
  let size: Int

  init(_ path: Path) throws(MachineError) {
    self.path = path
    do throws(Errno) {
      descriptor = try FileDescriptor.open(path, readOnly)
      size = try descriptor.regularFileSize()
      guard size > 0 else { throw Errno(ENODATA) }
      mapping = try MemoryMapping(descriptor, count: size)
    } catch {
      throw .file(path: path, error)
    }
  }

  /// Reads from `offset` on until `target`, which was zero before, is full. Holes of a sparse file are not read: memory
  /// that nothing touches costs nothing.
  func read(at offset: UInt64, into target: GuestSlice) throws(MachineError) {
    let (end, overflow) = offset.addingReportingOverflow(UInt64(target.count))
    guard !overflow, end <= UInt64(size) else { throw .boot(.truncated(needed: end, size: UInt64(size))) }
    // Where a file system finds blocks for data only when it writes them back, as ext4 does, it may take such data for a
    // hole in the moment in which they get them (ext4 before Linux 6.9). So there must be none, or no hole is believed.
    let tellsHoles = (try? FileCalls.writeBack(descriptor.raw)) != nil
    var position = offset
    while let data = tellsHoles ? nextData(from: position, before: end) : remainder(from: position, before: end) {
      position = data.lowerBound
      while position < data.upperBound {
        let piece = target.dropping(Int(position - offset), count: Int(data.upperBound - position))
        var vectors = IOVectors()
        // Guest RAM outlives the call.
        unsafe vectors.append(piece.hostBytes)
        let count: Int
        do throws(Errno) {
          count = try vectors.read(from: descriptor.raw, at: Int64(position))
        } catch {
          throw .file(path: path, error)
        }
        guard count > 0 else { throw .boot(.truncated(needed: end, size: position)) }
        position += UInt64(count)
      }
    }
  }

  private func remainder(from start: UInt64, before end: UInt64) -> Range<UInt64>? { start < end ? start..<end : nil }

  /// The next run of bytes between holes; all there is on file systems that do not tell.
  private func nextData(from start: UInt64, before end: UInt64) -> Range<UInt64>? {
    guard start < end else { return nil }
    let data: UInt64
    do throws(Errno) {
      data = try FileCalls.seek(descriptor.raw, start, whence: seekData)
    } catch {
      return error == Errno(ENXIO) ? nil : start..<end
    }
    guard data < end else { return nil }
    let hole = (try? FileCalls.seek(descriptor.raw, data, whence: seekHole)) ?? end
    return data..<min(max(hole, data + 1), end)
  }

  func contents() -> [UInt8] {
    mapping.withSpan { span in span.indices.map { span[$0] } }
  }
}

private let readOnly: Int32 = 0  // O_RDONLY
private let seekData = UInt32(clinux_SEEK_DATA)
private let seekHole = UInt32(clinux_SEEK_HOLE)
