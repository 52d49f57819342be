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

  /// Pages of 4 KiB (mincore(2)).
  private func residentPages(_ mapping: MemoryMapping) -> Int {
    var states = [UInt8](repeating: 0, count: mapping.count / 4096)
    let bytes = unsafe mapping.bytes
    #expect(unsafe mincore(bytes.baseAddress!, bytes.count, &states) == 0)
    return states.count { $0 & 1 == 1 }
  }
}
