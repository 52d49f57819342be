import GuestMemory

/// From a kernel's bytes to a machine that can start it.
///
///     let map = try MemoryMap(size: bytes)              // what RAM to provide: map.ram
///     let kernel = try KernelImage(file, setup: setup)  // a vmlinux or a bzImage
///     let plan = try BootPlan(kernel, map, …)           // places everything, touches nothing
///     try plan.loadKernel(file, into: memory)           // or reads plan.kernel.segments itself
///     try plan.loadInitramfs(archive, into: memory)
///     try plan.loadBootData(into: memory)               // parameters, command line, tables
///     // plan.entry: the first processor's registers
///
/// RAM is taken to be zero before: the loader does not clear what the kernel expects clear (`.bss`).
package struct BootPlan {
  /// As it is placed.
  package let kernel: KernelImage
  package let placement: KernelPlacement
  package let map: MemoryMap
  /// Where the initramfs goes, if there is one: page-aligned at its start.
  package let initramfs: Range<UInt64>?
  package let bootProtocol: BootProtocol
  package let entry: EntryState
  /// Small pieces of memory, none in another's way.
  package let bootData: [Piece]

  package struct Piece {
    package var address: UInt64
    package var bytes: [UInt8]
  }

  /// What the machine asks for besides its kernel and memory.
  package struct Options {
    package var commandLine = CommandLine()
    package var initramfsSize: UInt64 = 0
    /// For the kernel's random numbers; none if empty. Fresh for each machine.
    package var seed: [UInt8] = []
    /// 16 bytes by which the guest knows this machine from its copies, told by ACPI; none if empty. Fresh for each machine,
    /// and for each time that one goes on from a state that it had before.
    package var generation: [UInt8] = []
    /// The input of the I/O APIC on which a pulse tells that there is another.
    package var generationInterrupt: UInt32 = 0
    /// Without it there are no ACPI tables.
    package var acpi: ACPIPlatform?
    /// Without it there is no MP table. Not both: they would lie in one place.
    package var mp: MPPlatform?
    /// The first that the image offers, in the order of `BootProtocol`, unless stated.
    package var bootProtocol: BootProtocol?
    /// Where the kernel lies. What is not as it was linked takes relocations, and the 64-bit entry.
    package var placement = KernelPlacement.linked
    /// Whether the kernel makes addresses of its memory random too. Only in 64-bit mode it is told.
    package var isRandomised = false

    package init() {}
  }

  /// RAM beyond kernel and initramfs without which Linux does not come up: Debian's cloud kernel 6.1 wants 20 MiB.
  private static let headroom: UInt64 = 24 << 20
  private static let maximumSeed = 4096
  private static let generationSize = 16

  package init(_ kernel: KernelImage, _ map: MemoryMap, _ options: Options) throws(BootError) {
    let limit = min(Int(kernel.setup.commandLineSize), LowMemory.maximumCommandLine - 1)
    try options.commandLine.check(limit: limit)
    let initramfs = try Self.placeInitramfs(options.initramfsSize, kernel, map)
    let kernel = try Self.place(kernel, options.placement, map, initramfs)
    var acpi = options.acpi
    if !options.generation.isEmpty {
      acpi?.devices.append(.generation(at: LowMemory.generation, interrupt: options.generationInterrupt))
    }
    let tables: ACPITables? = if let acpi { try ACPITables(acpi, in: LowMemory.acpiTables) } else { nil }

    var pieces = [Piece(address: LowMemory.commandLine, bytes: options.commandLine.bytes + [0])]
    if let tables { pieces.append(Piece(address: tables.rsdp, bytes: tables.bytes)) }
    if tables != nil, !options.generation.isEmpty {
      pieces.append(Piece(address: LowMemory.generation, bytes: Array(options.generation.prefix(Self.generationSize))))
    }
    if tables == nil, let mp = options.mp {
      pieces.append(Piece(address: LowMemory.mpTable, bytes: try MPTable.bytes(mp, at: LowMemory.mpTable)))
    }
    let power = options.acpi?.power ?? options.mp?.power
    pieces.append(Piece(address: LowMemory.resetVector, bytes: ResetVector.bytes(power)))
    let (bootProtocol, entry) = try Self.chooseEntry(kernel, options.bootProtocol)
    pieces.append(Piece(address: entry.gdtBase, bytes: GlobalDescriptorTable.bytes(code: entry.code)))

    if bootProtocol == .pvh {
      let info = StartInfo.bytes(
        at: LowMemory.startInfo, commandLine: LowMemory.commandLine, initramfs: initramfs, rsdp: tables?.rsdp,
        memory: map.entries)
      guard info.count <= Int(LowMemory.bootParameters - LowMemory.startInfo) else {
        throw .tooManyMemoryRanges(map.entries.count)
      }
      pieces.append(Piece(address: LowMemory.startInfo, bytes: info))
    } else {
      var parameters = BootParameters(kernel.setup)
      parameters.setCommandLine(LowMemory.commandLine)
      if let initramfs { parameters.setInitramfs(initramfs) }
      try parameters.setMemoryMap(map.entries)
      if let tables { parameters.setACPI(tables.rsdp) }
      if options.isRandomised { parameters.setRandomised() }
      if !options.seed.isEmpty {
        parameters.setSetupData(LowMemory.setupData)
        let node = BootParameters.seedNode(Array(options.seed.prefix(Self.maximumSeed)))
        pieces.append(Piece(address: LowMemory.setupData, bytes: node))
      }
      pieces.append(Piece(address: LowMemory.bootParameters, bytes: parameters.bytes))
    }
    if bootProtocol == .linux64 {
      let tables = PageTables.bytes(mapping: kernel.footprint, at: LowMemory.pageTables)
      pieces.append(Piece(address: LowMemory.pageTables, bytes: tables))
    }
    self.kernel = kernel
    placement = options.placement
    self.map = map
    self.initramfs = initramfs
    self.bootProtocol = bootProtocol
    self.entry = entry
    bootData = pieces
  }

  private static func chooseEntry(
    _ kernel: KernelImage, _ wanted: BootProtocol?
  ) throws(BootError) -> (BootProtocol, EntryState) {
    for candidate in BootProtocol.allCases where wanted == nil || wanted == candidate {
      switch candidate {
      case .linux64: if let entry = kernel.entries.linux64 { return (candidate, .linux64(entry: entry)) }
      case .pvh: if let entry = kernel.entries.pvh { return (candidate, .pvh(entry: entry)) }
      case .linux32: if let entry = kernel.entries.linux32 { return (candidate, .linux32(entry: entry)) }
      }
    }
    throw .noUsableEntry
  }

  private static func place(
    _ kernel: KernelImage, _ placement: KernelPlacement, _ map: MemoryMap, _ initramfs: Range<UInt64>?
  ) throws(BootError) -> KernelImage {
    guard placement != .linked else { return kernel }
    let image = try kernel.moved(by: placement.physical)
    let place = image.footprint
    guard map.ram.contains(where: { $0.lowerBound <= place.lowerBound && place.upperBound <= $0.upperBound }),
      initramfs.map(place.overlaps) != true
    else { throw .kernelOutsideRAM(address: place.lowerBound) }
    return image
  }

  /// As high in low RAM as the kernel takes it, out of the way of the kernel as it was linked.
  package static func placeInitramfs(
    _ size: UInt64, _ kernel: KernelImage, _ map: MemoryMap
  ) throws(BootError) -> Range<UInt64>? {
    let footprint = kernel.footprint
    guard footprint.lowerBound >= LowMemory.firstMiB, footprint.upperBound <= MemoryMap.mmioHole.lowerBound else {
      throw .kernelOutsideRAM(address: footprint.lowerBound)
    }
    guard size <= MemoryMap.maximumSize else { throw .memoryTooLarge(size: size, limit: MemoryMap.maximumSize) }
    // The archive is in memory twice while the kernel unpacks it. No term is over 2^40.
    let total = LowMemory.firstMiB + (footprint.upperBound - footprint.lowerBound) + 2 * size + headroom
    let needed = max(footprint.upperBound, total)
    guard map.size >= needed else {
      throw .memoryTooSmall(needed: needed.roundedUp(to: 1 << 20) ?? needed, size: map.size)
    }
    guard size > 0 else { return nil }

    let limit = min(map.low.upperBound, UInt64(kernel.setup.initramfsAddressMaximum) + 1)
    for space in [footprint.upperBound..<max(limit, footprint.upperBound), LowMemory.firstMiB..<footprint.lowerBound] {
      let end = min(space.upperBound, limit)
      guard end >= size else { continue }
      let start = (end - size).roundedDown(to: MemoryMap.pageSize)
      if start >= space.lowerBound { return start..<(start + size) }
    }
    throw .initramfsDoesNotFit(size: size, limit: limit)
  }

  /// Copies the kernel's segments from the bytes of its file.
  package func loadKernel(_ file: Span<UInt8>, into memory: GuestMemory) throws(BootError) {
    for segment in kernel.segments {
      guard segment.fileSize <= UInt64(file.count), segment.fileOffset <= UInt64(file.count) - segment.fileSize else {
        throw .truncated(needed: segment.fileOffset &+ segment.fileSize, size: UInt64(file.count))
      }
      try copy(file, segment.fileOffset..<(segment.fileOffset + segment.fileSize), to: segment.address, memory)
    }
  }

  /// Tells the loaded kernel where it lies, by the relocations of its file.
  package static func relocate(
    _ kernel: KernelImage, by placement: KernelPlacement, _ relocations: KernelRelocations, _ file: Span<UInt8>,
    in memory: GuestMemory
  ) throws(BootError) {
    let place = kernel.footprint
    guard let slice = try? memory.slice(at: place.lowerBound &+ placement.physical, count: place.count) else {
      throw .cannotWrite(address: place.lowerBound &+ placement.physical)
    }
    try relocations.apply(placement.virtual, to: slice, linkedAt: place.lowerBound, from: file)
  }

  /// Copies the initramfs, whose size must be the one planned for.
  package func loadInitramfs(_ archive: Span<UInt8>, into memory: GuestMemory) throws(BootError) {
    guard let initramfs else { return }
    guard UInt64(archive.count) == initramfs.upperBound - initramfs.lowerBound else {
      throw .truncated(needed: initramfs.upperBound - initramfs.lowerBound, size: UInt64(archive.count))
    }
    try copy(archive, 0..<UInt64(archive.count), to: initramfs.lowerBound, memory)
  }

  package func loadBootData(into memory: GuestMemory) throws(BootError) {
    for piece in bootData { try copy(piece.bytes.span, 0..<UInt64(piece.bytes.count), to: piece.address, memory) }
  }

  private func copy(
    _ source: Span<UInt8>, _ range: Range<UInt64>, to address: UInt64, _ memory: GuestMemory
  ) throws(BootError) {
    do throws(GuestMemoryError) {
      let target = try memory.slice(at: address, count: range.count)
      target.copy(from: source.extracting(Int(range.lowerBound)..<Int(range.upperBound)))
    } catch {
      throw .cannotWrite(address: address)
    }
  }
}
