/// An ELF64 little-endian file (System V ABI, chapters 4 and 5): what a bundle wants to know of a kernel or a module.
///
/// `novmm` has a loader of its own (`Boot`); this one only reads files, and must hold against any bytes.
package struct ELFImage {
  package struct Segment: Equatable {
    package var type: UInt32
    package var fileRange: Range<Int>
    package var physicalAddress: UInt64
    package var virtualAddress: UInt64
    package var memorySize: UInt64
  }

  package struct Section: Equatable {
    package var name: String
    package var type: UInt32
    package var fileRange: Range<Int>
  }

  package struct Note: Equatable {
    package var name: String
    package var type: UInt32
    package var payload: Range<Int>
  }

  static let magic: [UInt8] = [0x7F, 0x45, 0x4C, 0x46]
  static let machineX8664: UInt16 = 62  // EM_X86_64
  static let machine386: UInt16 = 3  // EM_386
  static let typeRelocatable: UInt16 = 1  // ET_REL
  static let typeExecutable: UInt16 = 2  // ET_EXEC
  static let typeShared: UInt16 = 3  // ET_DYN: a kernel linked as PIE
  static let segmentLoad: UInt32 = 1  // PT_LOAD
  static let segmentNote: UInt32 = 4  // PT_NOTE
  static let sectionNoBits: UInt32 = 8  // SHT_NOBITS
  static let sectionNote: UInt32 = 7  // SHT_NOTE

  package let bytes: [UInt8]
  package let type: UInt16
  package let entry: UInt64

  private static let headerSize = 64
  private static let programHeaderSize = 56
  private static let sectionHeaderSize = 64

  /// Checks the file header only: segments and sections are read, and checked, when asked for.
  package init(_ bytes: [UInt8]) throws(ImageFault) {
    guard bytes.hasPrefix(Self.magic) else { throw .notAKernel }
    guard bytes.count >= 20 else { throw .truncated(needed: Self.headerSize, present: bytes.count) }
    let machine = bytes.u16(at: 18) ?? 0
    if machine == Self.machine386 { throw .thirtyTwoBit }
    guard machine == Self.machineX8664 else { throw .otherMachine(machine) }
    // EI_CLASS 2, EI_DATA 1: the x32 ABI has EM_X86_64 with 32-bit headers, and no kernel uses it.
    guard bytes[4] == 2 else { throw .thirtyTwoBit }
    guard bytes[5] == 1 else { throw .badELF(.header) }
    guard bytes.count >= Self.headerSize, let type = bytes.u16(at: 16), let entry = bytes.u64(at: 24) else {
      throw .truncated(needed: Self.headerSize, present: bytes.count)
    }
    self.bytes = bytes
    self.type = type
    self.entry = entry
  }

  package func segments() throws(ImageFault) -> [Segment] {
    let offset = bytes.u64(at: 32) ?? 0  // e_phoff
    let count = Int(bytes.u16(at: 56) ?? 0)  // e_phnum
    guard count > 0 else { return [] }
    guard bytes.u16(at: 54) == UInt16(Self.programHeaderSize) else { throw .badELF(.programHeaders) }
    guard let table = bytes.range(offset: offset, count: UInt64(count * Self.programHeaderSize)) else {
      throw .truncated(needed: Self.end(offset, UInt64(count * Self.programHeaderSize)), present: bytes.count)
    }
    var segments: [Segment] = []
    for index in 0..<count {
      let header = table.lowerBound + index * Self.programHeaderSize
      guard let type = bytes.u32(at: header), let fileOffset = bytes.u64(at: header + 8),
        let virtual = bytes.u64(at: header + 16), let physical = bytes.u64(at: header + 24),
        let fileSize = bytes.u64(at: header + 32), let memorySize = bytes.u64(at: header + 40)
      else { throw .badELF(.programHeaders) }
      guard let fileRange = bytes.range(offset: fileOffset, count: fileSize) else {
        if fileOffset.addingReportingOverflow(fileSize).overflow || fileOffset &+ fileSize > 1 << 40 {
          throw .badELF(.segment(index))
        }
        throw .truncated(needed: Self.end(fileOffset, fileSize), present: bytes.count)
      }
      segments.append(
        Segment(
          type: type, fileRange: fileRange, physicalAddress: physical, virtualAddress: virtual,
          memorySize: memorySize))
    }
    return segments
  }

  /// Sections whose names and bytes are inside the file; a stripped or odd table gives fewer, never an error: nothing
  /// that boots depends on sections.
  package func sections() -> [Section] {
    guard let offset = bytes.u64(at: 40), let entrySize = bytes.u16(at: 58), let count = bytes.u16(at: 60),
      let nameIndex = bytes.u16(at: 62), entrySize == UInt16(Self.sectionHeaderSize), nameIndex < count,
      let table = bytes.range(offset: offset, count: UInt64(count) * UInt64(Self.sectionHeaderSize)),
      let names = sectionBytes(table.lowerBound + Int(nameIndex) * Self.sectionHeaderSize)
    else { return [] }
    var sections: [Section] = []
    for index in 0..<Int(count) {
      let header = table.lowerBound + index * Self.sectionHeaderSize
      guard let nameOffset = bytes.u32(at: header), let type = bytes.u32(at: header + 4),
        Int(nameOffset) < names.count, let range = sectionBytes(header),
        let name = bytes.cString(at: names.lowerBound + Int(nameOffset), limit: names.count - Int(nameOffset))
      else { continue }
      sections.append(Section(name: name, type: type, fileRange: range))
    }
    return sections
  }

  package func section(_ name: String) -> Section? {
    sections().first { $0.name == name }
  }

  /// Every note of the note segments, or of the note sections where there are no such segments (modules).
  package func notes() -> [Note] {
    var ranges = ((try? segments()) ?? []).filter { $0.type == Self.segmentNote }.map(\.fileRange)
    if ranges.isEmpty { ranges = sections().filter { $0.type == Self.sectionNote }.map(\.fileRange) }
    return ranges.flatMap(notes(in:))
  }

  private func notes(in range: Range<Int>) -> [Note] {
    var notes: [Note] = []
    var position = range.lowerBound
    while position + 12 <= range.upperBound, let nameSize = bytes.u32(at: position),
      let payloadSize = bytes.u32(at: position + 4), let type = bytes.u32(at: position + 8)
    {
      let nameStart = position + 12
      let payloadStart = nameStart + Self.align4(Int(nameSize))
      let payloadEnd = payloadStart + Int(payloadSize)
      guard payloadEnd <= range.upperBound else { break }
      let name = bytes.cString(at: nameStart, limit: Int(nameSize)) ?? ""
      notes.append(Note(name: name, type: type, payload: payloadStart..<payloadEnd))
      position = payloadStart + Self.align4(Int(payloadSize))
    }
    return notes
  }

  private func sectionBytes(_ header: Int) -> Range<Int>? {
    guard let type = bytes.u32(at: header + 4), let offset = bytes.u64(at: header + 24),
      let size = bytes.u64(at: header + 32)
    else { return nil }
    return bytes.range(offset: offset, count: type == Self.sectionNoBits ? 0 : size)
  }

  private static func align4(_ value: Int) -> Int { (value + 3) & ~3 }

  private static func end(_ offset: UInt64, _ count: UInt64) -> Int {
    let (end, overflow) = offset.addingReportingOverflow(count)
    return overflow ? .max : Int(clamping: end)
  }
}
