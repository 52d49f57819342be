/// A 64-bit x86 Linux kernel as `novmm` loads it: an ELF executable whose segments, entry and notes have been checked.
package struct KernelImage {
  package let elf: ELFImage
  /// Physical address of the 64-bit entry (Linux x86 boot protocol, "64-bit boot protocol").
  package let entry: UInt64
  /// Physical address of the PVH entry, from the note `XEN_ELFNOTE_PHYS32_ENTRY`.
  package let pvhEntry: UInt64?
  /// `NT_GNU_BUILD_ID`, in hexadecimal.
  package let buildID: String?
  /// The release, from the banner "Linux version RELEASE (…".
  package let release: String?

  private static let noteBuildID: UInt32 = 3  // NT_GNU_BUILD_ID
  private static let notePVH: UInt32 = 18  // XEN_ELFNOTE_PHYS32_ENTRY

  package var bytes: [UInt8] { elf.bytes }

  package init(_ bytes: [UInt8]) throws(ImageFault) {
    let elf = try ELFImage(bytes)
    guard elf.type == ELFImage.typeExecutable || elf.type == ELFImage.typeShared else {
      throw .badELF(.notExecutable)
    }
    let segments = try elf.segments()
    var loadable: [ELFImage.Segment] = []
    for (index, segment) in segments.enumerated() where segment.type == ELFImage.segmentLoad {
      guard segment.memorySize >= UInt64(segment.fileRange.count),
        !segment.physicalAddress.addingReportingOverflow(segment.memorySize).overflow
      else { throw .badELF(.segment(index)) }
      loadable.append(segment)
    }
    guard !loadable.isEmpty else { throw .badELF(.noLoadableSegment) }

    self.elf = elf
    let inside = { (address: UInt64) in
      loadable.contains { address >= $0.physicalAddress && address - $0.physicalAddress < $0.memorySize }
    }
    guard inside(elf.entry) else { throw .badELF(.entryOutsideSegments) }
    entry = elf.entry

    var pvhEntry: UInt64?
    var buildID: String?
    for note in elf.notes() {
      switch (note.name, note.type) {
      case ("GNU", Self.noteBuildID): buildID = Hexadecimal.text(bytes[note.payload])
      case ("Xen", Self.notePVH):
        let at = note.payload.lowerBound
        // The descriptor is a pointer of the kernel's own width; old kernels wrote 4 bytes.
        let address = note.payload.count >= 8 ? bytes.u64(at: at) : bytes.u32(at: at).map(UInt64.init)
        if let address, inside(address) { pvhEntry = address }
      default: break
      }
    }
    self.pvhEntry = pvhEntry
    self.buildID = buildID
    release = Self.release(in: bytes)
  }

  /// The word after "Linux version " in `linux_banner`; `linux_proc_banner` holds the same text with a "%s".
  private static func release(in bytes: [UInt8]) -> String? {
    let prefix = Array("Linux version ".utf8)
    var from = 0
    while let at = bytes.firstOffset(of: prefix, from: from) {
      from = at + prefix.count
      let word = bytes[from...].prefix(256).prefix { $0 > 0x20 && $0 < 0x7F }
      if let first = word.first, (0x30...0x39).contains(first), bytes.u8(at: from + word.count) == 0x20 {
        return String(decoding: word, as: UTF8.self)
      }
    }
    return nil
  }
}

extension [UInt8] {
  fileprivate func u8(at offset: Int) -> UInt8? { contains(range: offset, count: 1) ? self[offset] : nil }
}

enum Hexadecimal {
  static func text(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}
