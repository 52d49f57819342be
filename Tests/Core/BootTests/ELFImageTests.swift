import Boot
import Testing

@Suite struct ELFImageTests {
  private func parse(_ file: ELFFile) throws -> ELFImage { try ELFImage(file.bytes.span) }

  private func expect(_ error: BootError, _ change: (inout ELFFile) -> Void, line: Int = #line) {
    var file = ELFFile()
    change(&file)
    let bytes = file.bytes
    #expect(
      throws: error, "line \(line)",
      performing: { _ = try ELFImage(bytes.span) })
  }

  @Test func readsSegmentsAndEntry() throws {
    let image = try parse(ELFFile())
    #expect(
      image.segments == [
        LoadSegment(
          fileOffset: 0x1000, fileSize: 0x800, address: 0x100_0000, memorySize: 0x2000, isWritable: false,
          isExecutable: true)
      ])
    #expect(image.entry == 0x100_0000)
    #expect(image.pvhEntry == nil)
    #expect(image.buildID.isEmpty)
    #expect(!image.isLinux)
  }

  @Test func sortsSegmentsByAddress() throws {
    var file = ELFFile()
    file.programs.append(.init(offset: 0x1800, physicalAddress: 0x20_0000, fileSize: 0x10, memorySize: 0x10))
    #expect(try parse(file).segments.map(\.address) == [0x20_0000, 0x100_0000])
  }

  @Test func translatesVirtualEntry() throws {
    var file = ELFFile()
    file.entry = 0xffff_ffff_8100_0123
    #expect(try parse(file).entry == 0x100_0123)
  }

  @Test func readsNotes() throws {
    var file = ELFFile()
    file.notes =
      ELFFile.note("Xen", 6, Array("linux".utf8) + [0])
      + ELFFile.note("GNU", 3, [1, 2, 3, 4, 5])
      + ELFFile.note("Linux", 0x100, [0x36])
      + ELFFile.note("Xen", 18, [0x50, 0x08, 0, 1, 0, 0, 0, 0])
    let image = try parse(file)
    #expect(image.pvhEntry == 0x100_0850)
    #expect(image.buildID == [1, 2, 3, 4, 5])
    #expect(image.isLinux)
    file.notes = ELFFile.note("Xen", 18, [0x50, 0x08, 0, 1])
    #expect(try parse(file).pvhEntry == 0x100_0850)
  }

  @Test func noteOwnersMatchWhole() throws {
    var file = ELFFile()
    file.notes = ELFFile.note("XenX", 18, [0, 0, 0, 1]) + ELFFile.note("Xe", 18, [0, 0, 0, 1])
    #expect(try parse(file).pvhEntry == nil)
  }

  @Test func refusesOtherFiles() {
    #expect(throws: BootError.truncated(needed: 64, size: 0)) { _ = try ELFImage([UInt8]().span) }
    #expect(throws: BootError.notELF) { _ = try ELFImage([UInt8](repeating: 0x41, count: 100).span) }
    expect(.not64Bit) { $0.elfClass = 1 }
    expect(.unsupportedELFFormat) { $0.data = 2 }
    expect(.wrongMachine(183)) { $0.machine = 183 }
    expect(.notExecutable(type: 1)) { $0.type = 1 }
  }

  @Test func refusesContradictoryHeaders() {
    expect(.badProgramHeaderSize(32)) { $0.programSize = 32 }
    expect(.badProgramHeaderCount(0)) { $0.programCount = 0 }
    expect(.badProgramHeaderCount(0xffff)) { $0.programCount = 0xffff }
    expect(.truncated(needed: .max, size: 0x2000)) { $0.programOffset = .max - 8 }
    expect(.truncated(needed: 0x1ff0 + 56, size: 0x2000)) { $0.programOffset = 0x1ff0 }
    expect(.nothingToLoad) { $0.programs[0].type = 6 }
    expect(.nothingToLoad) { $0.programs[0].memorySize = 0 }
  }

  @Test func refusesSegmentsOutsideTheFile() {
    expect(.badSegment(index: 0)) {
      $0.programs[0].fileSize = 0x1001
      $0.programs[0].memorySize = 0x1001
    }
    expect(.badSegment(index: 0)) { $0.programs[0].offset = .max }
    expect(.badSegment(index: 0)) { $0.programs[0].fileSize = .max }
    expect(.badSegment(index: 0)) { $0.programs[0].offset = 1 << 63 }
    expect(.badSegment(index: 0)) { $0.programs[0].memorySize = 0x7ff }
    expect(.badSegment(index: 0)) { $0.programs[0].physicalAddress = .max - 0x1000 }
    expect(.badSegment(index: 1)) { $0.programs.append(.init(type: 4, offset: 0x2000, fileSize: 1)) }
  }

  @Test func refusesOverlaps() {
    expect(.segmentsOverlap(address: 0x100_1fff)) {
      $0.programs.append(.init(offset: 0x1000, physicalAddress: 0x100_1fff, fileSize: 1, memorySize: 1))
    }
    expect(.segmentsOverlap(address: 0x100_0000)) { $0.programs.append($0.programs[0]) }
  }

  @Test func refusesEntriesOutside() {
    expect(.entryOutsideImage(0x100_2000)) { $0.entry = 0x100_2000 }
    expect(.entryOutsideImage(0xff_ffff)) { $0.entry = 0xff_ffff }
    expect(.entryOutsideImage(0x1000)) { $0.notes = ELFFile.note("Xen", 18, [0, 0x10, 0, 0]) }
  }

  @Test func refusesNotesThatLeaveTheirSegment() {
    var note = ELFFile.note("GNU", 3, [1, 2, 3, 4])
    note.replaceSubrange(4..<8, with: [5, 0, 0, 0])
    let longDescriptor = note
    expect(.badNotes) { $0.notes = longDescriptor }
    note.replaceSubrange(0..<4, with: [0xff, 0xff, 0xff, 0xff])
    let longName = note
    expect(.badNotes) { $0.notes = longName }
  }

  /// Every single-byte change of headers and notes is taken or refused, never trapped on.
  @Test func survivesEveryByteChanged() {
    var file = ELFFile()
    file.notes = ELFFile.note("GNU", 3, [1, 2, 3, 4]) + ELFFile.note("Xen", 18, [0, 0, 0, 1])
    let bytes = file.bytes
    var refused = 0
    for offset in Array(0..<200) + Array(ELFFile.notesOffset..<(ELFFile.notesOffset + file.notes.count)) {
      for value: UInt8 in [0, 1, 0x7f, 0x80, 0xff] {
        var damaged = bytes
        damaged[offset] = value
        do { _ = try ELFImage(damaged.span) } catch { refused += 1 }
      }
    }
    #expect(refused > 100)
  }

  @Test func survivesEveryLength() {
    var file = ELFFile()
    file.notes = ELFFile.note("GNU", 3, [1, 2, 3, 4])
    let bytes = file.bytes
    for length in 0..<(0x1000 + 0x800) {
      #expect(throws: BootError.self) { _ = try ELFImage(Array(bytes[..<length]).span) }
    }
  }
}
