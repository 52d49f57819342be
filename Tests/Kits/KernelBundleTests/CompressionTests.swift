import HostTesting
import Testing

@testable import KernelBundle

struct CompressionTests {
  /// More than a block of LZ4's legacy frames (8 MiB), with parts that shrink and parts that do not.
  private static let sample: [UInt8] = {
    var state: UInt32 = 1
    var bytes: [UInt8] = []
    bytes.reserveCapacity(9 << 20)
    for index in 0..<(9 << 20) {
      if index & 0xFFFF < 0x4000 { state = state &* 1_664_525 &+ 1_013_904_223 }
      bytes.append(UInt8(truncatingIfNeeded: state >> 24))
    }
    return bytes
  }()

  private static let small = Array(sample[..<100_000])

  /// The tests below leave out a format whose tool is not here: this one says so.
  @Test(arguments: Compression.allCases) func toolIsHere(_ format: Compression) throws {
    try Need.toGoOn("the program \(format.tool.name)", Compression.testable.contains(format))
  }

  @Test(arguments: Compression.testable) func roundTrip(_ format: Compression) throws {
    for contents in [Self.sample, Self.small, [7]] {
      let packed = try format.compress(contents)
      #expect(Compression(detecting: packed) == format)
      // In the middle of a file, as a kernel's payload is.
      let file = [1, 2, 3] + packed + [4]
      let unpacked = try format.decompress(file, 3..<(3 + packed.count), limit: contents.count)
      #expect(unpacked == contents)
    }
  }

  @Test(arguments: Compression.testable) func truncatedAnywhere(_ format: Compression) throws {
    let packed = try format.compress(Self.small)
    for cut in stride(from: 0, to: packed.count, by: max(1, packed.count / 97)) {
      do throws(CompressionFault) {
        let short = try format.decompress(packed, 0..<cut, limit: Self.small.count)
        // LZ4's legacy frames and lzop's files without their end mark may stop between blocks; they are then short.
        #expect(short.count < Self.small.count, "cut at \(cut)")
        #expect(format == .lz4, "cut at \(cut)")
      } catch {
        #expect(error == .truncated || error == .damaged, "cut at \(cut)")
      }
    }
  }

  @Test(arguments: Compression.testable) func flippedBytesNeverPassForTheContents(_ format: Compression) throws {
    let packed = try format.compress(Self.small)
    for at in stride(from: 0, to: packed.count, by: max(1, packed.count / 211)) {
      var flipped = packed
      flipped[at] ^= 0x55
      // lzma and lz4 have no checksum: a flip may give other contents of the same size; the others must notice, or the
      // flip was in a field that says nothing of the contents (a time, a name).
      guard let output = try? format.decompress(flipped, 0..<flipped.count, limit: Self.small.count) else { continue }
      if format != .lzma && format != .lz4 { #expect(output == Self.small, "flip at \(at)") }
    }
  }

  @Test(arguments: Compression.testable) func outputIsLimited(_ format: Compression) throws {
    let packed = try format.compress([UInt8](repeating: 0, count: 8 << 20))
    #expect(throws: CompressionFault.tooLarge(limit: 1 << 20)) {
      try format.decompress(packed, 0..<packed.count, limit: 1 << 20)
    }
  }

  @Test func unknownBytes() {
    #expect(Compression(detecting: []) == nil)
    #expect(Compression(detecting: Array("plain text".utf8)) == nil)
    #expect(Compression(detecting: [0x1F, 0x8B]) == nil)
  }
}
