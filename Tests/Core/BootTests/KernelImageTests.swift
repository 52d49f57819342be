import Boot
import Foundation
import HostTesting
import Testing

@Suite struct KernelImageTests {
  /// A boot sector, four setup sectors and some code.
  private func bzImage(_ change: (inout [UInt8]) -> Void = { _ in }) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 512 * 5 + 0x3000)
    func put<T: FixedWidthInteger>(_ value: T, _ offset: Int) {
      withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<(offset + $0.count), with: $0) }
    }
    put(UInt8(4), 0x1f1)
    put(UInt16(0xaa55), 0x1fe)
    put(UInt16(0x6aeb), 0x200)
    put(UInt32(0x5372_6448), 0x202)
    put(UInt16(0x20f), 0x206)
    put(UInt8(1), 0x211)
    put(UInt32(0x7fff_ffff), 0x22c)
    put(UInt32(0x20_0000), 0x230)
    put(UInt8(1), 0x234)
    put(UInt16(1), 0x236)
    put(UInt32(2047), 0x238)
    put(UInt64(0x100_0000), 0x258)
    put(UInt32(0x200_0000), 0x260)
    change(&bytes)
    return bytes
  }

  @Test func bzImageGoesToItsPreferredAddress() throws {
    let image = try KernelImage(bzImage().span)
    #expect(
      image.segments == [
        LoadSegment(
          fileOffset: 2560, fileSize: 0x3000, address: 0x100_0000, memorySize: 0x3000, isWritable: true,
          isExecutable: true)
      ])
    #expect(image.footprint == 0x100_0000..<0x300_0000)
    #expect(image.entries.linux64 == 0x100_0200)
    #expect(image.entries.linux32 == 0x100_0000)
    #expect(image.entries.pvh == nil)
  }

  @Test func entersIn32BitModeWhereThatIsAllThereIs() throws {
    let image = try KernelImage(bzImage { $0[0x236] = 0 }.span)
    #expect(image.entries.linux64 == nil)
    let plan = try BootPlan(image, try MemoryMap(size: 128 << 20), BootPlan.Options())
    #expect(plan.bootProtocol == .linux32)
    #expect(plan.entry.instructionPointer == 0x100_0000)
    #expect(plan.entry.rsi != 0)
    #expect(plan.entry.rbx == 0)
    #expect(plan.entry.cr0 == 0x11)
    #expect(plan.entry.code.is32Bit && plan.entry.code.selector == 0x10)
    #expect(plan.entry.data.selector == 0x18)
  }

  @Test func fixedKernelsGoToOneMegabyte() throws {
    let image = try KernelImage(bzImage { $0[0x234] = 0 }.span)
    #expect(image.segments[0].address == 0x10_0000)
  }

  @Test func refusesDamagedHeaders() {
    #expect(throws: BootError.notELF) { _ = try KernelImage([UInt8](repeating: 0, count: 4096).span) }
    #expect(throws: BootError.notELF) { _ = try KernelImage([UInt8]().span) }
    #expect(throws: BootError.badSetupHeader) { _ = try KernelImage(bzImage { $0[0x1fe] = 0 }.span) }
    #expect(throws: BootError.bootProtocolTooOld(0x205)) {
      _ = try KernelImage(
        bzImage {
          $0[0x206] = 5
          $0[0x207] = 2
        }.span)
    }
    #expect(throws: BootError.badSetupHeader) { _ = try KernelImage(bzImage { $0[0x201] = 0x20 }.span) }
    #expect(throws: BootError.badSetupHeader) { _ = try KernelImage(bzImage { $0[0x201] = 0xff }.span) }
    #expect(throws: BootError.badSetupHeader) { _ = try KernelImage(bzImage { $0[0x211] = 0 }.span) }
    #expect(throws: BootError.badSetupHeader) { _ = try KernelImage(bzImage { $0[0x25f] = 0xff }.span) }
    #expect(throws: BootError.badSetupHeader) { _ = try KernelImage(bzImage { $0[0x25b] = 0 }.span) }
    #expect(throws: BootError.self) { _ = try KernelImage(Array(bzImage().prefix(2560)).span) }
    #expect(throws: BootError.badSetupHeader) { _ = try KernelImage(Array(bzImage().prefix(0x220)).span) }
  }

  @Test func setupHeaderReadsAloneAsWithinItsImage() throws {
    let image = bzImage()
    let whole = try SetupHeader(image.span)
    #expect(whole.bytes.count == 0x202 + 0x6a - 0x1f1)
    let alone = try SetupHeader(whole.bytes.span, isHeaderOnly: true)
    #expect(alone.bytes == whole.bytes)
    #expect(alone.commandLineSize == 2047)
    #expect(alone.has64BitEntry)
  }

  @Test(.needs(ofHost: "Debian", DebianKernels.areOffered), .needs(DebianKernels.what, DebianKernel.shared != nil))
  func readsDebiansVmlinux() throws {
    let kernel = try #require(DebianKernel.shared)
    let setup = try SetupHeader(kernel.bzImage.span)
    let image = try KernelImage(kernel.vmlinux.span, setup: setup)
    #expect(image.segments.count == 4)
    #expect(image.footprint.lowerBound == 0x100_0000)
    #expect(image.entries.linux64 == 0x100_0000)
    #expect(image.buildID.count == 20)
    let pvh = try #require(image.entries.pvh)
    #expect(image.footprint.contains(UInt64(pvh)))
    #expect(setup.version >= 0x20f)
    #expect(setup.commandLineSize == 2047)
    #expect(image.footprint.count <= Int(setup.initialSize))

    // What lies in guest memory afterwards is what lies in the file.
    let map = try MemoryMap(size: 256 << 20)
    let plan = try BootPlan(image, map, BootPlan.Options())
    let ram = GuestRAM(map)
    try plan.loadKernel(kernel.vmlinux.span, into: ram.memory)
    for segment in image.segments {
      let loaded = try ram.memory.read(count: Int(segment.fileSize), at: segment.address)
      let differs = kernel.vmlinux.withUnsafeBytes {
        memcmp($0.baseAddress! + Int(segment.fileOffset), loaded, loaded.count)
      }
      #expect(differs == 0)
    }
  }

  @Test(.needs(ofHost: "Debian", DebianKernels.areOffered), .needs(DebianKernels.what, DebianKernel.shared != nil))
  func readsDebiansBzImage() throws {
    let kernel = try #require(DebianKernel.shared)
    let image = try KernelImage(kernel.bzImage.span)
    #expect(image.entries.linux64 == image.entries.linux32.map { UInt64($0) + 0x200 })
    #expect(UInt64(image.footprint.count) == UInt64(image.setup.initialSize))
  }

  @Test(.needs(ofHost: "Debian", DebianKernels.areOffered), .needs(DebianKernels.what, DebianKernel.shared != nil))
  func refusesDebiansVmlinuxCutShort() throws {
    let kernel = try #require(DebianKernel.shared)
    for size in [0, 63, 64, 200, 0x20_0000, 0x1c0_0000, 0x244_e000 + 0x1000] {
      #expect(throws: BootError.self) { _ = try KernelImage(Array(kernel.vmlinux.prefix(size)).span) }
    }
  }
}
