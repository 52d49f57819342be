import GuestMemory
import VirtioTesting

/// Builds requests, and cuts them into pieces of guest memory.
struct Message {
  var bytes: [UInt8] = []

  mutating func put<T: FixedWidthInteger>(_ value: T) {
    for index in 0..<MemoryLayout<T>.size { bytes.append(UInt8(truncatingIfNeeded: value >> T(index * 8))) }
  }

  mutating func put(_ text: String) { bytes += [UInt8](text.utf8) + [0] }

  /// The message in pieces of `piece` bytes, the first one at an odd address.
  func slices(piece: Int = .max) -> [GuestSlice] {
    let memory = FakeGuestMemory(size: max(4096, bytes.count * 3 + 64))
    var slices: [GuestSlice] = []
    var (at, address) = (0, UInt64(1))
    while at < bytes.count {
      let count = min(piece, bytes.count - at)
      let slice = try! memory.slice(at: address, count: count)
      slice.copy(from: Array(bytes[at..<(at + count)]))
      slices.append(slice)
      at += count
      address += UInt64(count) + 1
    }
    return slices
  }
}

/// Room for a reply, in pieces.
func room(_ counts: Int...) -> [GuestSlice] {
  let memory = FakeGuestMemory(size: counts.reduce(4096) { $0 + $1 + 8 })
  var slices: [GuestSlice] = []
  var address: UInt64 = 3
  for count in counts {
    slices.append(try! memory.slice(at: address, count: count))
    address += UInt64(count) + 3
  }
  return slices
}

func bytes(_ slices: [GuestSlice], _ count: UInt32) -> [UInt8] {
  Array(slices.flatMap { $0.bytes() }.prefix(Int(count)))
}
