import HostTesting
import Testing

@testable import KernelBundle

struct KernelLibraryTests {
  /// The memory of a kernel at 16 MiB, as data of a shared library.
  private func library(
    entry: UInt32 = 0x100_0010, size: UInt32? = nil, symbol: String = "KERNEL_BUNDLE", of type: UInt16 = 3
  ) -> [UInt8] {
    let memory = Array("startup_64 \0Linux version 6.12.113 (someone@somewhere) #1 SMP\n\0virtio_mmio.device\0".utf8)
    // mov %rdi, -8(%rbp) and the like between them, as without optimisation.
    var code: [UInt8] = [0x55, 0x48, 0x89, 0xE5]
    for (register, constant) in [(0x00 as UInt8, 0x100_0000), (0x00, entry), (0x02, size ?? UInt32(memory.count))] {
      code += [0x48, 0x8B, 0x45, 0xF8, 0x48, 0xC7, register]
      code.lay(constant, at: code.count)
    }
    code.append(0xC3)
    let names = [UInt8](("\0\(symbol)\0krunfw_get_kernel\0.dynsym\0.dynstr\0").utf8)
    func name(_ text: String) -> UInt32 { UInt32(names.firstOffset(of: Array(text.utf8)) ?? 0) }

    let (data, text) = (64 + 56, 64 + 56 + memory.count + 1)
    let strings = text + code.count
    let symbols = strings + names.count
    let sections = symbols + 3 * 24
    var file = Synthetic.header(type: type, entry: 0)
    file.lay(UInt64(64), at: 32)
    file.lay(UInt64(sections), at: 40)
    file.lay(UInt16(56), at: 54)
    file.lay(UInt16(1), at: 56)
    file.lay(UInt16(64), at: 58)
    file.lay(UInt16(3), at: 60)
    file.lay(UInt16(2), at: 62)
    Synthetic.segment(&file, 0, type: 1, offset: 0, address: 0, size: sections)
    file.lay(UInt64(0), at: 64 + 16)
    file += memory + [0] + code + names
    for (index, (name, value, size)) in [
      (symbol, data, memory.count + 1), ("krunfw_get_kernel", text, code.count),
    ].enumerated() {
      let at = symbols + 24 * (index + 1)
      file.lay(UInt32(names.firstOffset(of: Array(name.utf8)) ?? 0), at: at)
      file.lay(UInt64(value), at: at + 8)
      file.lay(UInt64(size), at: at + 16)
    }
    for (index, (text, type, offset, size)) in [
      ("", 0 as UInt32, 0, 0), (".dynsym", 11, symbols, 3 * 24), (".dynstr", 3, strings, names.count),
    ].enumerated() {
      let at = sections + 64 * index
      file.lay(text.isEmpty ? 0 : name(text), at: at)
      file.lay(type, at: at + 4)
      file.lay(UInt64(offset), at: at + 24)
      file.lay(UInt64(size), at: at + 32)
      file.lay(UInt64(0), at: at + 56)
    }
    return file
  }

  @Test func memoryEntryAndRelease() throws {
    let executable = try #require(try KernelLibrary(ELFImage(library()))).executable
    let kernel = try KernelImage(executable)
    #expect(kernel.entry == 0x100_0010)
    #expect(kernel.release == "6.12.113")
    let segments = try kernel.elf.segments()
    #expect(segments.count == 1)
    #expect(segments[0].physicalAddress == 0x100_0000)
    #expect(executable[segments[0].fileRange].starts(with: "startup_64".utf8))
  }

  @Test func othersAreNoSuchLibrary() throws {
    #expect(try KernelLibrary(ELFImage(library(symbol: "SOMETHING_ELSE"))) == nil)
    #expect(try KernelLibrary(ELFImage(library(of: 2))) == nil)
    #expect(try KernelLibrary(ELFImage(Synthetic.kernel())) == nil)
  }

  @Test func whatCannotBe() throws {
    // More than the symbol holds; an entry that is elsewhere.
    #expect(throws: ImageFault.badELF(.header)) { try KernelLibrary(ELFImage(library(size: 4096))) }
    let outside = try #require(try KernelLibrary(ELFImage(library(entry: 0x200_0000)))).executable
    #expect(throws: ImageFault.badELF(.entryOutsideSegments)) { try KernelImage(outside) }
  }

  @Test func anyByteMayBeAnything() throws {
    let bytes = library()
    for at in bytes.indices {
      for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
        var damaged = bytes
        damaged[at] = value
        guard let elf = try? ELFImage(damaged), let library = try? KernelLibrary(elf) else { continue }
        #expect(library.executable.count <= damaged.count + 4096)
      }
    }
  }
}
