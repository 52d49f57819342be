import Glibc
import Host
import Testing

struct MemoryMappingTests {
  @Test(arguments: [MemoryMapping.Pages.small, .transparentHuge]) func populatedMemoryIsThere(
    pages: MemoryMapping.Pages
  ) throws {
    let mapping = try MemoryMapping(anonymous: 4 << 20, pages: pages)
    #expect(residentPages(mapping) < 1024)
    try mapping.populate()
    #expect(residentPages(mapping) == 1024)
    #expect(mapping.withSpan { span in span.indices.allSatisfy { span[$0] == 0 } })
  }

  /// As where the host has no way to populate memory but to write to it (before Linux 5.14).
  @Test func touchedMemoryIsThereAsItIs() throws {
    let mapping = try MemoryMapping(anonymous: 1 << 20)
    for place in [0, 4096, 4097] { unsafe mapping.bytes[place] = 7 }
    mapping.touch()
    #expect(residentPages(mapping) == 256)
    #expect(mapping.withSpan { span in span.indices.filter { span[$0] == 7 } } == [0, 4096, 4097])
  }

  /// Pages of 4 KiB (mincore(2)).
  private func residentPages(_ mapping: MemoryMapping) -> Int {
    var states = [UInt8](repeating: 0, count: mapping.count / 4096)
    let bytes = unsafe mapping.bytes
    #expect(unsafe mincore(bytes.baseAddress!, bytes.count, &states) == 0)
    return states.count { $0 & 1 == 1 }
  }
}
