import Boot
import GuestMemory
import Testing

@Suite struct BootPlanTests {
  private func kernel(_ change: (inout ELFFile) -> Void = { _ in }) throws -> KernelImage {
    var file = ELFFile()
    change(&file)
    return try KernelImage(file.bytes.span)
  }

  private func options(_ commandLine: String = "quiet", initramfs: UInt64 = 0) -> BootPlan.Options {
    var options = BootPlan.Options()
    options.commandLine = CommandLine(commandLine)
    options.initramfsSize = initramfs
    options.seed = [UInt8](repeating: 0x5a, count: 32)
    options.acpi = ACPIPlatform(apicIDs: [0], power: PowerRegisters(at: .port(0x600)), devices: [.com1])
    return options
  }

  @Test func entersLinuxIn64BitMode() throws {
    let map = try MemoryMap(size: 64 << 20)
    let plan = try BootPlan(try kernel(), map, options(initramfs: 5000))
    #expect(plan.bootProtocol == .linux64)
    #expect(plan.initramfs == 0x3ff_e000..<0x3ff_f388)
    let state = plan.entry
    #expect(state.instructionPointer == 0x100_0000)
    #expect(state.cr0 & 0x8000_0001 == 0x8000_0001)
    #expect(state.cr4 == 0x20)
    #expect(state.efer == 0x500)
    #expect(state.code.isLong && !state.code.is32Bit)

    let ram = GuestRAM(map)
    try plan.loadKernel(ELFFile().bytes.span, into: ram.memory)
    try plan.loadInitramfs([UInt8](repeating: 0xee, count: 5000).span, into: ram.memory)
    try plan.loadBootData(into: ram.memory)
    #expect(try ram.memory.load(UInt64.self, at: 0x100_0000) == 0xcccc_cccc_cccc_cccc)
    #expect(try ram.memory.load(UInt64.self, at: 0x100_0800) == 0)
    #expect(try ram.memory.load(UInt16.self, at: 0x3ff_f386) == 0xeeee)
    // The boot parameters, from where RSI points.
    #expect(try ram.memory.load(UInt32.self, at: state.rsi + 0x218) == 0x3ff_e000)
    #expect(try ram.memory.load(UInt32.self, at: state.rsi + 0x21c) == 5000)
    #expect(try ram.memory.load(UInt64.self, at: state.rsi + 0x70) == 0xe_0000)
    let seed = try ram.memory.load(UInt64.self, at: state.rsi + 0x250)
    #expect(try ram.memory.load(UInt32.self, at: seed + 8) == 9)
    #expect(try ram.memory.load(UInt32.self, at: seed + 12) == 32)
    let commandLine = UInt64(try ram.memory.load(UInt32.self, at: state.rsi + 0x228))
    #expect(try ram.memory.read(count: 6, at: commandLine) == Array("quiet".utf8) + [0])
    // The descriptors are what the processor is said to have loaded.
    #expect(state.gdtLimit == 47)
    #expect(try ram.memory.load(UInt64.self, at: state.gdtBase + 0x10) == 0x00af_9b00_0000_ffff)
    #expect(try ram.memory.load(UInt64.self, at: state.gdtBase + 0x18) == 0x00cf_9300_0000_ffff)
    #expect(try ram.memory.load(UInt64.self, at: state.gdtBase + 0x20) == 0x0000_8b00_0000_0067)
  }

  /// Walks the page tables as a processor does.
  @Test(arguments: [UInt64(0x100_0000), 0x3f00_0000, 0x9000_0000, 0xbff0_0000])
  func pageTablesMapTheKernelOnItself(address: UInt64) throws {
    let map = try MemoryMap(size: 4 << 30)
    let plan = try BootPlan(
      try kernel {
        $0.entry = address
        $0.programs[0].physicalAddress = address
      }, map, options())
    let ram = GuestRAM(map)
    try plan.loadBootData(into: ram.memory)
    for virtual in [0, 0x7000, 0x2_0000, address, address + 0x1fff] {
      var table = plan.entry.cr3
      for level in [39, 30] {
        let entry = try ram.memory.load(UInt64.self, at: table + (virtual >> UInt64(level) & 511) * 8)
        #expect(entry & 0x81 == 1, "\(virtual) \(level)")
        table = entry & 0xf_ffff_ffff_f000
      }
      let entry = try ram.memory.load(UInt64.self, at: table + (virtual >> 21 & 511) * 8)
      #expect(entry & 0x83 == 0x83)
      #expect((entry & 0xf_ffff_ffe0_0000) + (virtual & 0x1f_ffff) == virtual)
    }
  }

  @Test func entersPVHWhereThatIsAllThereIs() throws {
    let map = try MemoryMap(size: 64 << 20)
    let image = try kernel { $0.notes = ELFFile.note("Xen", 18, [0x10, 0, 0, 1]) }
    let plan = try BootPlan(image, map, options(initramfs: 4096))
    #expect(plan.bootProtocol == .pvh)
    #expect(plan.entry.instructionPointer == 0x100_0010)
    #expect(plan.entry.cr0 & 0x8000_0001 == 1)
    #expect(plan.entry.cr4 == 0)
    #expect(plan.entry.efer == 0)
    #expect(plan.entry.code.is32Bit && !plan.entry.code.isLong)

    let ram = GuestRAM(map)
    try plan.loadBootData(into: ram.memory)
    let info = plan.entry.rbx
    #expect(try ram.memory.load(UInt32.self, at: info) == 0x336e_c578)
    #expect(try ram.memory.load(UInt32.self, at: info + 4) == 1)
    #expect(try ram.memory.load(UInt32.self, at: info + 12) == 1)
    let modules = try ram.memory.load(UInt64.self, at: info + 16)
    #expect(try ram.memory.load(UInt64.self, at: modules) == plan.initramfs?.lowerBound)
    #expect(try ram.memory.load(UInt64.self, at: modules + 8) == 4096)
    let commandLine = try ram.memory.load(UInt64.self, at: info + 24)
    #expect(try ram.memory.read(count: 6, at: commandLine) == Array("quiet".utf8) + [0])
    #expect(try ram.memory.load(UInt64.self, at: info + 32) == 0xe_0000)
    let memoryMap = try ram.memory.load(UInt64.self, at: info + 40)
    #expect(try ram.memory.load(UInt32.self, at: info + 48) == 4)
    #expect(try ram.memory.load(UInt64.self, at: memoryMap + 72) == 0x10_0000)
    #expect(try ram.memory.load(UInt64.self, at: memoryMap + 80) == 63 << 20)
    #expect(try ram.memory.load(UInt32.self, at: memoryMap + 88) == 1)
  }

  /// Linux's way to restart a hardware-reduced machine without EFI leads to F000:FFF0.
  @Test func resetVectorResets() throws {
    let map = try MemoryMap(size: 64 << 20)
    let ram = GuestRAM(map)
    try BootPlan(try kernel(), map, options()).loadBootData(into: ram.memory)
    // mov al, 1; mov dx, 0x600; out dx, al; hlt; jmp to the hlt
    #expect(try ram.memory.read(count: 9, at: 0xf_fff0) == [0xb0, 1, 0xba, 0, 6, 0xee, 0xf4, 0xeb, 0xfd])

    var other = options()
    other.acpi = nil
    try BootPlan(try kernel(), map, other).loadBootData(into: ram.memory)
    let code = try ram.memory.read(count: 16, at: 0xf_fff0)
    #expect(Array(code[..<7]) == [0x2e, 0x0f, 0x01, 0x1e, 0xf7, 0xff, 0xcc])
    #expect(Array(code[7..<13]) == [0, 0, 0, 0, 0, 0])
  }

  @Test func entryKindCanBeChosen() throws {
    let map = try MemoryMap(size: 64 << 20)
    let image = try kernel { $0.notes = ELFFile.note("Xen", 18, [0x10, 0, 0, 1]) + ELFFile.note("Linux", 1, []) }
    #expect(try BootPlan(image, map, options()).bootProtocol == .linux64)
    var options = options()
    options.bootProtocol = .pvh
    #expect(try BootPlan(image, map, options).bootProtocol == .pvh)
    options.bootProtocol = .linux32
    #expect(throws: BootError.noUsableEntry) { _ = try BootPlan(image, map, options) }
  }

  @Test func piecesDoNotOverlap() throws {
    var options = options(String(repeating: "x", count: 2047), initramfs: 1 << 20)
    options.generation = [UInt8](repeating: 1, count: 16)
    for kind in [BootProtocol.linux64, .pvh] {
      options.bootProtocol = kind
      let image = try kernel {
        $0.notes = ELFFile.note("Xen", 18, [0x10, 0, 0, 1]) + ELFFile.note("Linux", 1, [])
        $0.entry = 0xbff0_0000
        $0.programs.append(.init(offset: 0x1000, physicalAddress: 0xbff0_0000, fileSize: 1, memorySize: 0x10_0000))
      }
      let plan = try BootPlan(image, try MemoryMap(size: 256 << 30), options)
      var ranges = plan.bootData.map { $0.address..<($0.address + UInt64($0.bytes.count)) }
      ranges.append(try #require(plan.initramfs))
      ranges += plan.kernel.segments.map { $0.address..<$0.end }
      ranges.sort { $0.lowerBound < $1.lowerBound }
      for (one, next) in zip(ranges, ranges.dropFirst()) { #expect(one.upperBound <= next.lowerBound) }
    }
  }

  /// Where ACPI says that it is, on a page that is neither RAM nor tables (Microsoft, "Virtual Machine Generation ID").
  @Test func generationIsOnAReservedPage() throws {
    let map = try MemoryMap(size: 64 << 20)
    var options = options()
    options.generation = (1...16).map { $0 }
    let ram = GuestRAM(map)
    try BootPlan(try kernel(), map, options).loadBootData(into: ram.memory)
    let tables = try ram.memory.read(count: 0x1_e000, at: 0xe_0000)
    let name = Array("ADDR".utf8)
    let place = try #require(tables.indices.first { tables[$0...].starts(with: name) })
    // Package, its length, two elements: an integer of 32 bits and zero.
    #expect(tables[place + 4..<place + 8] == [0x12, 8, 2, 0x0c])
    #expect(tables[place + 12] == 0)
    let address = tables[place + 8..<place + 12].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    #expect(try ram.memory.read(count: 17, at: address) == options.generation + [0])
    #expect(address % 4096 == 0)
    #expect(map.entries.contains { $0.kind == .reserved && $0.range.contains(address) })

    // Without one, there is no device.
    options.generation = []
    let other = GuestRAM(map)
    try BootPlan(try kernel(), map, options).loadBootData(into: other.memory)
    let others = try other.memory.read(count: tables.count, at: 0xe_0000)
    #expect(!others.indices.contains { others[$0...].starts(with: Array("VM_Gen".utf8)) })
  }

  @Test func initramfsKeepsBelowTheKernelsLimit() throws {
    let plan = try BootPlan(try kernel(), try MemoryMap(size: 8 << 30), options(initramfs: 0x1001))
    #expect(plan.initramfs == 0x7fff_e000..<0x7fff_f001)
  }

  @Test func initramfsGoesBelowAKernelThatFillsTheTop() throws {
    let image = try kernel {
      $0.programs[0].physicalAddress = 0x400_0000
      $0.entry = 0x400_0000
      $0.programs[0].memorySize = 0x3ff_f000
    }
    let plan = try BootPlan(image, try MemoryMap(size: 128 << 20), options(initramfs: 1 << 20))
    #expect(plan.initramfs == 0x3f0_0000..<0x400_0000)
  }

  @Test func saysHowMuchMemoryIsNeeded() throws {
    let image = try kernel { $0.programs[0].memorySize = 40 << 20 }
    let needed = UInt64(1 + 40 + 2 * 8 + 24) << 20
    #expect(throws: BootError.memoryTooSmall(needed: needed, size: 32 << 20)) {
      _ = try BootPlan(image, try MemoryMap(size: 32 << 20), options(initramfs: 8 << 20))
    }
    _ = try BootPlan(image, try MemoryMap(size: needed), options(initramfs: 8 << 20))
    #expect(throws: BootError.memoryTooSmall(needed: needed, size: needed - 4096)) {
      _ = try BootPlan(image, try MemoryMap(size: needed - 4096), options(initramfs: 8 << 20))
    }
  }

  @Test func refusesKernelsOutsideRAM() throws {
    for address: UInt64 in [0, 0xf_f000, 0xbfff_f000, 0x1_0000_0000, 1 << 62] {
      let image = try kernel {
        $0.programs[0].physicalAddress = address
        $0.entry = address
      }
      #expect(throws: BootError.kernelOutsideRAM(address: address)) {
        _ = try BootPlan(image, try MemoryMap(size: 4 << 30), options())
      }
    }
  }

  @Test func refusesInitramfsOfAnySize() throws {
    let image = try kernel()
    let map = try MemoryMap(size: 8 << 30)
    for size: UInt64 in [.max, 1 << 63, 300 << 30, 4 << 30, 3 << 30] {
      #expect(throws: BootError.self) { _ = try BootPlan(image, map, options(initramfs: size)) }
    }
  }

  @Test func refusesCommandLinesThatWouldBeCut() throws {
    let map = try MemoryMap(size: 64 << 20)
    _ = try BootPlan(try kernel(), map, options(String(repeating: "x", count: 2047)))
    #expect(throws: BootError.commandLineTooLong(length: 2048, limit: 2047)) {
      _ = try BootPlan(try kernel(), map, options(String(repeating: "x", count: 2048)))
    }
    #expect(throws: BootError.commandLineHoldsZero) { _ = try BootPlan(try kernel(), map, options("a\0b")) }
  }

  @Test func commandLineNamesDevices() {
    var line = CommandLine("quiet")
    line.appendVirtioMMIO(base: 0xd000_0000, size: 0x1000, interrupt: 5)
    #expect(String(decoding: line.bytes, as: UTF8.self) == "quiet virtio_mmio.device=0x1000@0xd0000000:5")
    var bare = CommandLine()
    bare.appendVirtioMMIO(base: 0, size: 512, interrupt: 10)
    #expect(String(decoding: bare.bytes, as: UTF8.self) == "virtio_mmio.device=0x200@0x0:10")
  }

  @Test func commandLineNamesThePowerRegister() {
    var line = CommandLine()
    line.appendPowerOff(port: 0x600, value: 0x34)
    line.append(CommandLine("quiet"))
    line.append(CommandLine())
    #expect(String(decoding: line.bytes, as: UTF8.self) == "novm.power-off=1536:52 quiet")
  }

  /// What Linux does of the MultiProcessor Specification: `mpf_intel` and `mpc_table` in asm/mpspec_def.h.
  @Test(arguments: [1, 4, 254]) func kernelsWithoutACPIFindAnMPTable(processors: Int) throws {
    var options = options()
    options.acpi = nil
    options.mp = MPPlatform(apicIDs: (0..<UInt32(processors)).map { $0 }, power: PowerRegisters(at: .port(0x600)))
    let map = try MemoryMap(size: 64 << 20)
    let ram = GuestRAM(map)
    let plan = try BootPlan(try kernel(), map, options)
    try plan.loadBootData(into: ram.memory)
    #expect(try ram.memory.load(UInt64.self, at: plan.entry.rsi + 0x70) == 0, "no RSDP")
    // Where a kernel looks, in steps of 16 bytes.
    let pointer: UInt64 = 0xf_0000
    #expect(try ram.memory.read(count: 4, at: pointer) == Array("_MP_".utf8))
    #expect(try ram.memory.read(count: 16, at: pointer).reduce(0, &+) == 0)
    #expect(try ram.memory.read(count: 4, at: pointer + 8)[0...1] == [1, 4])
    #expect(try ram.memory.read(count: 1, at: pointer + 11) == [0], "a configuration table is there")

    let table = UInt64(try ram.memory.load(UInt32.self, at: pointer + 4))
    let size = UInt64(try ram.memory.load(UInt16.self, at: table + 4))
    #expect(table + size <= 0xf_f000)
    #expect(try ram.memory.read(count: 4, at: table) == Array("PCMP".utf8))
    #expect(try ram.memory.read(count: Int(size), at: table).reduce(0, &+) == 0)
    #expect(try ram.memory.load(UInt32.self, at: table + 36) == 0xfee0_0000)

    var at = table + 44
    var found: [UInt8: Int] = [:]
    var lines: Set<UInt8> = []
    var firsts: [UInt8] = []
    while at < table + size {
      let kind = try ram.memory.read(count: 1, at: at)[0]
      let entry = try ram.memory.read(count: kind == 0 ? 20 : 8, at: at)
      found[kind, default: 0] += 1
      switch kind {
      case 0:
        #expect(Int(entry[1]) == found[0]! - 1 && entry[3] & 1 == 1)
        if entry[3] & 2 != 0 { firsts.append(entry[1]) }
      case 2: #expect(Int(entry[1]) == processors && Array(entry[4..<8]) == [0, 0, 0xc0, 0xfe])
      case 3:
        #expect(entry[1..<5] == [0, 0, 0, 0] && entry[5] == entry[7] && Int(entry[6]) == processors)
        lines.insert(entry[7])
      default: break
      }
      at += UInt64(entry.count)
    }
    #expect(at == table + size)
    #expect(found == [0: processors, 1: 1, 2: 1, 3: 24, 4: 1])
    #expect(Int(try ram.memory.load(UInt16.self, at: table + 34)) == processors + 27)
    #expect(firsts == [0])
    #expect(lines == Set(0..<24))
    // Still there for a guest that restarts.
    #expect(try ram.memory.read(count: 2, at: 0xf_fff0) == [0xb0, 1])
  }

  @Test func moreProcessorsThanAnMPTableCanNameAreRefused() throws {
    var options = options()
    options.acpi = nil
    options.mp = MPPlatform(apicIDs: (0..<255).map { $0 }, power: PowerRegisters(at: .port(0x600)))
    #expect(throws: BootError.tooManyProcessors(255)) {
      _ = try BootPlan(try kernel(), try MemoryMap(size: 64 << 20), options)
    }
  }

  @Test func loadingIntoTooLittleMemoryIsAnError() throws {
    let plan = try BootPlan(try kernel(), try MemoryMap(size: 64 << 20), options())
    let ram = GuestRAM(try MemoryMap(size: 1 << 20))
    #expect(throws: BootError.cannotWrite(address: 0x100_0000)) {
      try plan.loadKernel(ELFFile().bytes.span, into: ram.memory)
    }
    #expect(throws: BootError.truncated(needed: 0x1800, size: 64)) {
      try plan.loadKernel([UInt8](repeating: 0, count: 64).span, into: ram.memory)
    }
  }
}
