import Testing

@testable import KernelBundle

struct KernelImageTests {
  @Test func withoutNotesAndBanner() throws {
    let image = try KernelImage(Synthetic.kernel(release: nil, pvh: nil))
    #expect(image.release == nil)
    #expect(image.pvhEntry == nil)
    #expect(image.buildID == "abcdef01")
  }

  @Test func pvhEntryOutsideTheSegmentsIsNone() throws {
    #expect(try KernelImage(Synthetic.kernel(pvh: 0x9000_0000)).pvhEntry == nil)
  }

  @Test func truncatedAnywhere() {
    let bytes = Synthetic.kernel()
    for cut in 0..<400 {
      #expect(throws: ImageFault.self, "cut at \(cut)") { _ = try KernelImage(Array(bytes[..<cut])) }
    }
    #expect(throws: ImageFault.truncated(needed: bytes.count, present: bytes.count - 1)) {
      _ = try KernelImage(bytes.dropLast())
    }
  }

  @Test func everyHeaderByteMayBeAnything() throws {
    let bytes = Synthetic.kernel()
    for at in 0..<(64 + 2 * 56) {
      for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
        var damaged = bytes
        damaged[at] = value
        if let image = try? KernelImage(damaged) { #expect(image.bytes.count == bytes.count) }
      }
    }
  }

  @Test func whatIsWrongIsNamed() {
    func fault(_ change: (inout [UInt8]) -> Void) -> ImageFault? {
      var bytes = Synthetic.kernel()
      change(&bytes)
      do throws(ImageFault) {
        _ = try KernelImage(bytes)
        return nil
      } catch { return error }
    }
    #expect(fault { $0[0] = 0 } == .notAKernel)
    #expect(fault { $0[4] = 1 } == .thirtyTwoBit)
    #expect(fault { $0.lay(UInt16(3), at: 18) } == .thirtyTwoBit)
    #expect(fault { $0.lay(UInt16(183), at: 18) } == .otherMachine(183))
    #expect(fault { $0[5] = 2 } == .badELF(.header))
    #expect(fault { $0.lay(UInt16(1), at: 16) } == .badELF(.notExecutable))
    #expect(fault { $0.lay(UInt16(55), at: 54) } == .badELF(.programHeaders))
    #expect(fault { $0.lay(UInt16(0), at: 56) } == .badELF(.noLoadableSegment))
    #expect(fault { $0.lay(UInt64.max, at: 64 + 8) } == .badELF(.segment(0)))
    #expect(fault { $0.lay(UInt64(1), at: 64 + 40) } == .badELF(.segment(0)))
    #expect(fault { $0.lay(UInt64.max, at: 64 + 24) } == .badELF(.segment(0)))
    #expect(fault { $0.lay(UInt64(0x10), at: 24) } == .badELF(.entryOutsideSegments))
    #expect(fault { _ in } == nil)
  }
}
