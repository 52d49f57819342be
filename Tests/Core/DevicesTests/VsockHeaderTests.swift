import GuestMemory
import Testing

@testable import Devices

struct VsockHeaderTests {
  /// A driver may put part of the header into the DAX window, which only the host's kernel reads.
  @Test func aPieceInAWindowReadsAsZeros() throws {
    let window = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 8)
    let ram = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 8)
    for bytes in [window, ram] { _ = bytes.initializeMemory(as: UInt8.self, repeating: 7) }
    defer {
      window.deallocate()
      ram.deallocate()
    }
    let memory = GuestMemory(regions: [
      unsafe GuestMemory.Region(base: 0, bytes: ram),
      unsafe GuestMemory.Region(base: 0x1000, bytes: window, isWindow: true),
    ])
    let header = try #require(
      VsockHeader([memory.slice(at: 0x1000, count: 20), memory.slice(at: 0, count: 24)]))
    #expect(header.sourceCID == 0 && header.sourcePort == 0)
    #expect(header.destinationPort == 0x0707_0707 && header.forwardCount == 0x0707_0707)
    // Loads from a window fail.
    #expect(try VsockHeader([memory.slice(at: 0x1000, count: 44)]) == nil)
    #expect(try VsockHeader([memory.slice(at: 0x1000, count: 20)]) == nil)
  }
}
