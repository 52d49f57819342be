import Boot
import GuestMemory
import Testing

@Suite struct KernelPlacementTests {
  /// An image at 16 MiB with relocations behind it.
  private func file(_ words: [UInt32], _ change: (inout ELFFile) -> Void = { _ in }) -> [UInt8] {
    var file = ELFFile()
    file.programs[0].fileSize = 0x1000
    change(&file)
    var bytes = file.bytes
    for word in words { bytes.append(little: word) }
    return bytes
  }

  private static let words: [UInt32] = [0, 0x8100_0010, 0x8100_0020, 0, 0x8100_0030, 0, 0x8100_0040, 0x8100_0046]

  private func relocations(_ bytes: [UInt8]) throws -> KernelRelocations? {
    KernelRelocations(try KernelImage(bytes.span), bytes.span)
  }

  @Test func relocationsAreThreeListsOrTwo() throws {
    #expect(try relocations(file(Self.words))?.count == 5)
    // Without inverse ones, as from Linux 6.15 on, and with none of them.
    #expect(try relocations(file([0, 0x8100_0010, 0, 0x8100_0040]))?.count == 2)
    #expect(try relocations(file([0, 0x8100_0010, 0, 0, 0x8100_0040]))?.count == 2)
  }

  @Test(
    arguments: [
      [], [0], [0, 0], [0, 0, 0], [0x8100_0010], [0, 0x8100_0010], [1, 0x8100_0010, 0, 0x8100_0040],
      [0, 0x8100_0010, 0, 0, 0, 0x8100_0040],
      // Before the kernel, in its last bytes, behind it.
      [0, 0x80ff_ffff, 0, 0x8100_0040], [0, 0x8100_0010, 0, 0x8100_1ffd], [0, 0x8100_2000, 0, 0x8100_0040],
      [0, 0xffff_ffff, 0, 0x8100_0040], [0, 0x0100_0010, 0, 0x8100_0040],
    ] as [[UInt32]])
  func whatIsNoRelocationsIsNone(_ words: [UInt32]) throws {
    #expect(try relocations(file(words)) == nil)
  }

  @Test func bytesThatAreNoWholeWordsAreNone() throws {
    #expect(try relocations(file(Self.words) + [1]) == nil)
    #expect(try relocations(file(Self.words) + [1, 2, 3, 4]) == nil)
  }

  /// Section headers are part of the image, wherever they lie; what they say of a place outside of it is not believed.
  @Test func theImageEndsBehindItsSectionHeaders() throws {
    func with(_ offset: UInt64, _ count: UInt16) throws -> [UInt8] {
      var bytes = file([UInt32](repeating: 7, count: 32) + Self.words)
      bytes.replaceSubrange(40..<48, with: withUnsafeBytes(of: offset.littleEndian, Array.init))
      bytes.replaceSubrange(58..<60, with: [64, 0])
      bytes.replaceSubrange(60..<62, with: withUnsafeBytes(of: count.littleEndian, Array.init))
      return bytes
    }
    #expect(try relocations(with(0x2000, 2))?.count == 5)
    #expect(try relocations(with(0x2000, 1)) == nil)
    #expect(try relocations(with(.max - 64, 2)) == nil)
    #expect(try relocations(with(0x2000, .max)) == nil)
  }

  @Test func aKernelLearnsWhereItLies() throws {
    let bytes = file(Self.words)
    let image = try KernelImage(bytes.span)
    let found = KernelRelocations(image, bytes.span)
    let relocations = try #require(found)
    let map = try MemoryMap(size: 6 << 30)
    var options = BootPlan.Options()
    options.placement = KernelPlacement(physical: 0x1_2000_0000, virtual: 0xa0_0000)
    options.isRandomised = true
    let plan = try BootPlan(image, map, options)
    #expect(plan.placement == options.placement)
    #expect(plan.entry.instructionPointer == 0x1_2100_0000)
    let ram = GuestRAM(map)
    try plan.loadKernel(bytes.span, into: ram.memory)
    try BootPlan.relocate(image, by: plan.placement, relocations, bytes.span, in: ram.memory)
    try plan.loadBootData(into: ram.memory)
    func word(_ offset: UInt64) throws -> UInt32 { try ram.memory.load(at: 0x1_2100_0000 + offset) }
    #expect(try ram.memory.load(UInt64.self, at: 0x1_2100_0010) == 0xcccc_cccc_cccc_cccc + 0xa0_0000)
    #expect(try word(0x30) == 0xcccc_cccc - 0xa0_0000)
    #expect(try word(0x34) == 0xcccc_cccc)
    #expect(try word(0x40) == 0xcccc_cccc + 0xa0_0000)
    #expect(try ram.memory.load(UInt32.self, at: 0x1_2100_0046) == 0xcccc_cccc + 0xa0_0000)
    // KASLR_FLAG, beside LOADED_HIGH.
    #expect(try ram.memory.load(UInt8.self, at: plan.entry.rsi + 0x211) == 3)
    // Where it is entered is mapped, and so is the first GiB.
    for virtual in [0x7000, 0x1_2100_0000, 0x1_2100_1fff] as [UInt64] {
      var table = plan.entry.cr3
      for level in [39, 30] as [UInt64] {
        table = try ram.memory.load(UInt64.self, at: table + (virtual >> level & 511) * 8) & 0xf_ffff_ffff_f000
      }
      let entry = try ram.memory.load(UInt64.self, at: table + (virtual >> 21 & 511) * 8)
      #expect((entry & 0xf_ffff_ffe0_0000) + (virtual & 0x1f_ffff) == virtual)
    }
  }

  /// A 64-bit place in the last four bytes is seen when it is come to: it would reach out of the kernel.
  @Test func aPlaceThatReachesOutOfTheKernelIsRefused() throws {
    let bytes = file([0, 0x8100_1ffc, 0, 0x8100_0040])
    let image = try KernelImage(bytes.span)
    let found = KernelRelocations(image, bytes.span)
    let relocations = try #require(found)
    let ram = GuestRAM(try MemoryMap(size: 64 << 20))
    #expect(throws: BootError.badRelocation) {
      try BootPlan.relocate(image, by: .linked, relocations, bytes.span, in: ram.memory)
    }
  }

  /// Whatever the memory, the initramfs and the numbers: in RAM, aligned, beside the initramfs, and within what Linux maps.
  @Test(arguments: [48, 64, 100, 512, 3000, 3071, 3072, 3073, 4096, 70_000] as [UInt64])
  func kernelsLieWhereTheyCan(_ mebibytes: UInt64) throws {
    let size: UInt64 = 9 << 20
    let image = try KernelImage(file(Self.words) { $0.programs[0].memorySize = size }.span)
    let map = try MemoryMap(size: mebibytes << 20)
    var seen: Set<UInt64> = []
    var isHigh = false
    for round in 0..<400 as Range<UInt64> {
      var options = BootPlan.Options()
      options.initramfsSize = round % 3 << 20
      let initramfs = try BootPlan.placeInitramfs(options.initramfsSize, image, map)
      let numbers = (round &* 0x9e37_79b9_7f4a_7c15, round &* 0xbf58_476d_1ce4_e5b9)
      options.placement = KernelPlacement(image, map, initramfs: initramfs, CommandLine("quiet"), numbers: numbers)
      // Throws where it is not in RAM or on the initramfs.
      let plan = try BootPlan(image, map, options)
      #expect(plan.initramfs == initramfs)
      #expect(options.placement.physical % (2 << 20) == 0 && options.placement.virtual % (2 << 20) == 0)
      #expect(0x100_0000 + size + options.placement.virtual <= 1 << 30)
      seen.insert(options.placement.physical)
      if plan.kernel.footprint.lowerBound >= 1 << 32 { isHigh = true }
    }
    #expect(seen.count > (mebibytes < 100 ? 3 : 20))
    #expect(isHigh == (mebibytes > 3100))
  }

  @Test func aKernelStaysInTheMemoryThatItIsGiven() throws {
    let image = try KernelImage(file(Self.words).span)
    let map = try MemoryMap(size: 2 << 30)
    for line in ["mem=256M", "quiet memmap=1G$1G"] {
      let placement = KernelPlacement(image, map, initramfs: nil, CommandLine(line), numbers: (77, 77))
      #expect(placement == KernelPlacement(physical: 0, virtual: 154 << 20))
    }
    #expect(CommandLine("quiet nokaslr").wantsNoRandomisation)
    #expect(!CommandLine("nokaslr=1 xnokaslr").wantsNoRandomisation)
  }

  @Test func onlyTheSixtyFourBitEntryCanMove() throws {
    var options = BootPlan.Options()
    options.placement = KernelPlacement(physical: 2 << 20)
    let map = try MemoryMap(size: 64 << 20)
    let pvh = file(Self.words) {
      $0.notes = ELFFile.note("Xen", 18, [0, 0, 0, 1])
    }
    #expect(throws: BootError.noUsableEntry) { _ = try BootPlan(try KernelImage(pvh.span), map, options) }
    options.placement = KernelPlacement(physical: 60 << 20)
    #expect(throws: BootError.self) { _ = try BootPlan(try KernelImage(file(Self.words).span), map, options) }
  }

  @Test func debiansKernelsCarryTheirs() throws {
    guard let debian = DebianKernel.shared else { return }
    let image = try KernelImage(debian.vmlinux.span)
    let relocations = KernelRelocations(image, debian.vmlinux.span)
    #expect((relocations?.count ?? 0) > 100_000)
  }
}
