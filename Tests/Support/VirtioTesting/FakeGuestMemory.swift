package import GuestMemory

// swift-format-ignore: AlwaysUseLowerCamelCase
/// Guest RAM from the heap, from address 0 on, zeroed. It lives as long as the test process.
package func FakeGuestMemory(size: Int) -> GuestMemory {
  let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
  _ = bytes.initializeMemory(as: UInt8.self, repeating: 0)
  return GuestMemory(regions: [unsafe GuestMemory.Region(base: 0, bytes: bytes)])
}
