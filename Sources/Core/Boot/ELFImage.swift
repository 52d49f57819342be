import LittleEndian

/// What a machine needs to know of an x86-64 ELF executable: where its segments go and where it starts
/// (System V ABI, chapters 4 and 5; `elf(5)`).
///
/// The file is hostile: every number is checked against its size, segments may not overlap, and no more is read than
/// headers and notes.
package struct ELFImage {
  /// In order of address, without overlaps.
  package let segments: [LoadSegment]
  /// Guest-physical, inside a segment.
  package let entry: UInt64
  /// Where a PVH loader enters in 32-bit protected mode (XEN_ELFNOTE_PHYS32_ENTRY).
  package let pvhEntry: UInt32?
  /// The linker's NT_GNU_BUILD_ID; empty without one.
  package let buildID: [UInt8]
  /// Linux leaves notes of its own; other PVH images (unikernels) do not.
  package let isLinux: Bool
  /// Where the file goes on that the image's own headers do not speak of: at most the file's size.
  package let fileEnd: Int

  private static let headerSize = 64
  private static let programHeaderSize = 56
  /// Linux has five; the field allows 65,534.
  private static let maximumProgramHeaders: UInt16 = 128

  package init(_ file: Span<UInt8>) throws(BootError) {
    guard file.count >= Self.headerSize else {
      throw .truncated(needed: UInt64(Self.headerSize), size: UInt64(file.count))
    }
    guard file.field(UInt32.self, at: 0) == 0x464c_457f else { throw .notELF }  // \x7fELF
    guard file[4] == 2 else { throw .not64Bit }  // ELFCLASS64
    guard file[5] == 1, file[6] == 1 else { throw .unsupportedELFFormat }  // ELFDATA2LSB, EV_CURRENT
    let header = try Header(file)

    var segments: [LoadSegment] = []
    var virtual: [(start: UInt64, size: UInt64, address: UInt64)] = []
    var notes = ELFNotes()
    var fileEnd = max(header.end, header.sectionsEnd)
    for index in 0..<Int(header.count) {
      let at = header.offset + index * Self.programHeaderSize
      guard let program = ProgramHeader(file, at: at), program.isWithin(UInt64(file.count)) else {
        throw .badSegment(index: index)
      }
      if program.isRead { fileEnd = max(fileEnd, program.fileRange.upperBound) }
      switch program.type {
      case 1 where program.memorySize > 0:  // PT_LOAD
        guard let segment = program.segment else { throw .badSegment(index: index) }
        segments.append(segment)
        virtual.append((program.virtualAddress, program.memorySize, program.physicalAddress))
      case 4:  // PT_NOTE
        guard notes.read(file, program.fileRange, alignment: program.alignment == 8 ? 8 : 4) else { throw .badNotes }
      default: break
      }
    }
    guard !segments.isEmpty else { throw .nothingToLoad }
    try Self.sortAndCheck(&segments)

    self.segments = segments
    entry = try Self.physicalEntry(header.entry, segments, virtual)
    if let pvh = notes.pvhEntry {
      guard segments.contains(where: { $0.address <= UInt64(pvh) && UInt64(pvh) < $0.end }) else {
        throw .entryOutsideImage(UInt64(pvh))
      }
    }
    pvhEntry = notes.pvhEntry
    buildID = notes.buildID
    isLinux = notes.isLinux
    self.fileEnd = fileEnd
  }

  private static func sortAndCheck(_ segments: inout [LoadSegment]) throws(BootError) {
    segments.sort { $0.address < $1.address }
    for index in 1..<max(segments.count, 1) where segments[index].address < segments[index - 1].end {
      throw .segmentsOverlap(address: segments[index].address)
    }
  }

  /// Linux states its entry as a physical address; other images as a virtual one, which the segment it lies in
  /// translates.
  private static func physicalEntry(
    _ entry: UInt64, _ segments: [LoadSegment], _ virtual: [(start: UInt64, size: UInt64, address: UInt64)]
  ) throws(BootError) -> UInt64 {
    if segments.contains(where: { $0.address <= entry && entry < $0.end }) { return entry }
    for range in virtual where entry >= range.start && entry &- range.start < range.size {
      return range.address &+ (entry &- range.start)
    }
    throw .entryOutsideImage(entry)
  }

  /// The fields of `Elf64_Ehdr` that matter here, checked.
  private struct Header {
    let entry: UInt64
    let offset: Int
    let count: UInt16
    /// Behind the program headers.
    let end: Int
    /// Behind the section headers; 0 where there are none within the file.
    let sectionsEnd: Int

    init(_ file: Span<UInt8>) throws(BootError) {
      guard let type = file.field(UInt16.self, at: 16), let machine = file.field(UInt16.self, at: 18),
        let entry = file.field(UInt64.self, at: 24), let offset = file.field(UInt64.self, at: 32),
        let entrySize = file.field(UInt16.self, at: 54), let count = file.field(UInt16.self, at: 56)
      else { throw .truncated(needed: 64, size: UInt64(file.count)) }
      guard machine == 62 else { throw .wrongMachine(machine) }  // EM_X86_64
      guard type == 2 || type == 3 else { throw .notExecutable(type: type) }  // ET_EXEC, ET_DYN
      guard Int(entrySize) == programHeaderSize else { throw .badProgramHeaderSize(entrySize) }
      guard count > 0, count <= maximumProgramHeaders else { throw .badProgramHeaderCount(count) }
      let size = UInt64(file.count)
      let (end, overflow) = offset.addingReportingOverflow(UInt64(count) * UInt64(programHeaderSize))
      guard !overflow, end <= size else { throw .truncated(needed: overflow ? .max : end, size: size) }
      self.entry = entry
      self.offset = Int(offset)
      self.count = count
      self.end = Int(end)
      sectionsEnd = Self.sectionsEnd(file)
    }

    /// Nothing is loaded by section headers, so what they say may be nonsense.
    private static func sectionsEnd(_ file: Span<UInt8>) -> Int {
      guard let offset = file.field(UInt64.self, at: 40), let entrySize = file.field(UInt16.self, at: 58),
        let count = file.field(UInt16.self, at: 60), offset > 0, offset <= UInt64(file.count)
      else { return 0 }
      let end = Int(offset) + Int(entrySize) * Int(count)
      return end <= file.count ? end : 0
    }
  }

  /// `Elf64_Phdr`.
  private struct ProgramHeader {
    let type: UInt32
    let flags: UInt32
    let fileOffset: UInt64
    let virtualAddress: UInt64
    let physicalAddress: UInt64
    let fileSize: UInt64
    let memorySize: UInt64
    let alignment: UInt64

    init?(_ file: Span<UInt8>, at offset: Int) {
      guard let type = file.field(UInt32.self, at: offset), let flags = file.field(UInt32.self, at: offset + 4),
        let fileOffset = file.field(UInt64.self, at: offset + 8),
        let virtualAddress = file.field(UInt64.self, at: offset + 16),
        let physicalAddress = file.field(UInt64.self, at: offset + 24),
        let fileSize = file.field(UInt64.self, at: offset + 32),
        let memorySize = file.field(UInt64.self, at: offset + 40),
        let alignment = file.field(UInt64.self, at: offset + 48)
      else { return nil }
      self.type = type
      self.flags = flags
      self.fileOffset = fileOffset
      self.virtualAddress = virtualAddress
      self.physicalAddress = physicalAddress
      self.fileSize = fileSize
      self.memorySize = memorySize
      self.alignment = alignment
    }

    /// What is not loaded or read may say what it likes.
    func isWithin(_ size: UInt64) -> Bool {
      guard isRead else { return true }
      return fileSize <= size && fileOffset <= size - fileSize
    }

    /// PT_LOAD, PT_NOTE.
    var isRead: Bool { type == 1 || type == 4 }

    /// Meaningful for what is read, once `isWithin` holds.
    var fileRange: Range<Int> { Int(fileOffset)..<Int(fileOffset + fileSize) }

    var segment: LoadSegment? {
      guard fileSize <= memorySize, !physicalAddress.addingReportingOverflow(memorySize).overflow else { return nil }
      return LoadSegment(
        fileOffset: fileOffset, fileSize: fileSize, address: physicalAddress, memorySize: memorySize,
        isWritable: flags & 2 != 0, isExecutable: flags & 1 != 0)
    }
  }
}
