import Testing

@testable import KernelBundle

struct BzImageTests {
  private let kernel = Synthetic.kernel()

  private func image(_ format: Compression = .gzip) throws -> [UInt8] {
    Synthetic.bzImage(payload: try format.compress(kernel), size: kernel.count, appendSize: format != .gzip)
  }

  @Test(arguments: Compression.testable) func everyPayloadFormat(_ format: Compression) throws {
    let image = try BzImage(try image(format))
    #expect(image.payloadFormat == format)
    #expect(image.promisedSize == kernel.count)
    #expect(image.release == Synthetic.release)
    #expect(image.protocolVersion == 0x20F)
    let unpacked = try image.kernel()
    #expect(unpacked.bytes == kernel)
    #expect(unpacked.entry == 0x100_0000)
    #expect(unpacked.pvhEntry == 0x100_0040)
    #expect(unpacked.buildID == "abcdef01")
    #expect(unpacked.release == Synthetic.release)
  }

  @Test func setupHeaderIsWhatTheContractSays() throws {
    let bytes = try image()
    let header = try BzImage(bytes).setupHeader
    #expect(header == Array(bytes[0x1F1..<0x26C]))
    #expect(header.hasPrefix(Array("HdrS".utf8), at: 0x202 - 0x1F1))
  }

  @Test(arguments: Compression.testable) func truncatedAtEveryStage(_ format: Compression) throws {
    let bytes = try image(format)
    for cut in Array(0..<0x300) + Array(stride(from: 0x300, to: bytes.count - 15, by: 61)) {
      #expect(throws: ImageFault.self, "cut at \(cut)") { _ = try BzImage(Array(bytes[..<cut])).kernel() }
    }
    #expect(throws: ImageFault.truncated(needed: 0x250, present: 0x210)) { _ = try BzImage(Array(bytes[..<0x210])) }
  }

  @Test func thirtyTwoBitByItsFlags() throws {
    let bytes = Synthetic.bzImage(payload: try Compression.gzip.compress(kernel), size: 0, appendSize: false, flags: 0)
    #expect(throws: ImageFault.thirtyTwoBit) { _ = try BzImage(bytes) }
  }

  @Test func thirtyTwoBitByItsPayload() throws {
    // Before protocol 2.12 there are no flags; and ELF says it too.
    var elf = kernel
    elf[4] = 1
    elf.lay(UInt16(3), at: 18)
    let bytes = Synthetic.bzImage(
      payload: try Compression.gzip.compress(elf), size: 0, appendSize: false, protocolVersion: 0x20A, flags: 0)
    #expect(throws: ImageFault.thirtyTwoBit) { _ = try BzImage(bytes).kernel() }
  }

  @Test func oldProtocolUnknownPayloadWrongSize() throws {
    let packed = try Compression.gzip.compress(kernel)
    #expect(throws: ImageFault.oldBootProtocol(0x207)) {
      _ = try BzImage(Synthetic.bzImage(payload: packed, size: 0, appendSize: false, protocolVersion: 0x207))
    }
    #expect(throws: ImageFault.unknownPayload(Array("not pack".utf8))) {
      _ = try BzImage(Synthetic.bzImage(payload: Array("not packed by anyone".utf8), size: 0, appendSize: true))
    }
    let xz = try Compression.xz.compress(kernel)
    for wrong in [0, kernel.count - 1, kernel.count + 1, Int(UInt32.max)] {
      #expect(throws: ImageFault.payloadSize(expected: wrong, actual: kernel.count)) {
        _ = try BzImage(Synthetic.bzImage(payload: xz, size: wrong, appendSize: true)).kernel()
      }
    }
  }

  /// Where nothing but the image's own checksum can tell.
  @Test func flippedBytesOutsideThePayload() throws {
    let bytes = try image()
    _ = try BzImage(bytes).kernel()
    for offset in [0, 300, 0x3FF, 0x400, 0x43F, bytes.count - 1] {
      var damaged = bytes
      damaged[offset] ^= 0x41
      #expect(throws: ImageFault.checksum, "at \(offset)") { _ = try BzImage(damaged).kernel() }
    }
    // Linux 6.15 and later have none.
    let packed = try Compression.gzip.compress(kernel)
    var late = Synthetic.bzImage(payload: packed, size: kernel.count, appendSize: false, release: "6.15.0-rc1")
    late[300] ^= 0x41
    _ = try BzImage(late).kernel()
  }

  @Test func payloadFieldsOutsideTheFile() throws {
    let bytes = try image()
    for (offset, value) in [
      (0x248, UInt32.max), (0x24C, UInt32.max), (0x248, 0x7FFF_FFFF), (0x24C, 0), (0x1F4, UInt32.max),
    ] {
      var damaged = bytes
      damaged.lay(value, at: offset)
      #expect(throws: ImageFault.self) { _ = try BzImage(damaged).kernel() }
    }
  }

  @Test func otherFiles() {
    #expect(throws: ImageFault.notAKernel) { _ = try BzImage([]) }
    #expect(throws: ImageFault.notAKernel) { _ = try BzImage([UInt8](repeating: 0, count: 4096)) }
    #expect(throws: ImageFault.notAKernel) { _ = try BzImage(Array("MZ".utf8) + [UInt8](repeating: 0, count: 4096)) }
  }
}
