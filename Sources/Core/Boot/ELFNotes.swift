import LittleEndian

/// The notes of an ELF image that tell how to start it and what it is (System V ABI, chapter 5, "Note Section").
struct ELFNotes {
  private(set) var pvhEntry: UInt32?
  private(set) var buildID: [UInt8] = []
  private(set) var isLinux = false

  /// Longer build IDs than SHA-512 makes are not believed.
  private static let maximumBuildID = 64

  /// Reads one PT_NOTE segment; false where a note leaves the segment.
  mutating func read(_ file: Span<UInt8>, _ range: Range<Int>, alignment: Int) -> Bool {
    var at = range.lowerBound
    while range.upperBound - at >= 12 {
      guard let nameSize = file.field(UInt32.self, at: at), let size = file.field(UInt32.self, at: at + 4),
        let type = file.field(UInt32.self, at: at + 8)
      else { return false }
      // Sizes are 32 bits and Int is 64: none of these sums can overflow.
      let name = at + 12
      let descriptor = aligned(name + Int(nameSize), from: range.lowerBound, to: alignment)
      guard descriptor <= range.upperBound, Int(size) <= range.upperBound - descriptor else { return false }
      read(file, owner: name..<(name + Int(nameSize)), type: type, descriptor: descriptor..<(descriptor + Int(size)))
      at = aligned(descriptor + Int(size), from: range.lowerBound, to: alignment)
    }
    return true
  }

  private mutating func read(_ file: Span<UInt8>, owner: Range<Int>, type: UInt32, descriptor: Range<Int>) {
    if isName(file, owner, "Linux") {
      isLinux = true
    } else if isName(file, owner, "Xen"), type == 18 {  // XEN_ELFNOTE_PHYS32_ENTRY, 4 or 8 bytes
      if descriptor.count >= 8, let entry = file.field(UInt64.self, at: descriptor.lowerBound) {
        pvhEntry = UInt32(exactly: entry)
      } else if descriptor.count >= 4 {
        pvhEntry = file.field(UInt32.self, at: descriptor.lowerBound)
      }
    } else if isName(file, owner, "GNU"), type == 3, descriptor.count <= Self.maximumBuildID {  // NT_GNU_BUILD_ID
      buildID = descriptor.map { file[$0] }
    }
  }

  /// Names are counted with their terminating zero.
  private func isName(_ file: Span<UInt8>, _ range: Range<Int>, _ name: String) -> Bool {
    guard range.count == name.utf8.count + 1, file[range.upperBound - 1] == 0 else { return false }
    var at = range.lowerBound
    for byte in name.utf8 {
      guard file[at] == byte else { return false }
      at += 1
    }
    return true
  }

  private func aligned(_ offset: Int, from start: Int, to alignment: Int) -> Int {
    start + (offset - start + alignment - 1) / alignment * alignment
  }
}
