import CLinux
import Glibc

/// The code of this program, as it lies in memory.
public enum OwnCode {
  /// Lets go of the pages of code that are mapped: each comes back from the host's page cache when it is next run, with its
  /// neighbours (Linux maps 64 KiB around a fault), and what only the start needed does not. Pages that nobody wrote, in
  /// segments that nobody can, but for a debugger: it has to set its breakpoints anew.
  public static func release() {
    let address = getauxval(UInt(AT_PHDR))
    guard let table = unsafe UnsafePointer<Elf64_Phdr>(bitPattern: address) else { return }
    // Safe: the kernel says where the program headers are and how many, and they lie in the program itself.
    let headers = unsafe UnsafeBufferPointer(start: table, count: Int(getauxval(UInt(AT_PHNUM))))
    // Where the program lies, other than linked: PT_PHDR says where its headers are linked to be.
    let own = unsafe headers.first { $0.p_type == UInt32(PT_PHDR) }
    let slide = own.map { Elf64_Addr(address) &- $0.p_vaddr } ?? 0
    for index in headers.indices {
      let header = unsafe headers[index]
      guard header.p_type == UInt32(PT_LOAD), header.p_flags & UInt32(PF_X | PF_W) == UInt32(PF_X) else { continue }
      let start = header.p_vaddr &+ slide
      let first = start & ~0xfff
      let end = (start &+ header.p_memsz &+ 0xfff) & ~0xfff
      // A refusal costs memory only.
      unsafe madvise(UnsafeMutableRawPointer(bitPattern: UInt(first)), Int(end - first), MADV_DONTNEED)
    }
  }
}
