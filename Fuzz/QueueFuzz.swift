import GuestMemory
import Virtio

/// A driver whose rings, tables and buffers are any bytes at all, and change while the device looks at them: no trap, no
/// byte outside RAM (the address sanitizer stands at its edges), no chain beyond the bounds, no endless work.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzQueue(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let input = [UInt8](UnsafeBufferPointer(start: data, count: size))
  guard input.count >= 4 else { return 0 }
  let ram = UnsafeMutableRawBufferPointer.allocate(byteCount: ramSize, alignment: 4096)
  defer { ram.deallocate() }
  _ = ram.initializeMemory(as: UInt8.self, repeating: 0)
  let memory = GuestMemory(regions: [GuestMemory.Region(base: 0, bytes: ram)])

  // Four bytes of set-up, then the start of RAM, then changes to it: a place (2) and what is written there (2).
  var layout = SplitQueue.Layout()
  layout.descriptorTable = 0
  layout.availableRing = 0x100 + UInt64(input[1] & 1)
  layout.usedRing = 0x180 + UInt64(input[2]) << (input[2] == 0xff ? 56 : 0)
  var features: Features = [.version1]
  if input[0] & 1 != 0 { features.insert(.indirectDescriptors) }
  if input[0] & 2 != 0 { features.insert(.eventIndex) }
  let limit = RequestLimit(descriptors: 32, bytes: 0x800)
  let queue = VirtQueue(index: 0, maximumSize: 16, limit: limit, interrupt: Silence())
  queue.configure(size: UInt16(input[3]), layout: layout)
  try! memory.write(Array(input[4...].prefix(0x400)), at: 0)
  guard (try? queue.activate(memory, features: features)) != nil else { return 0 }

  var changes = input.dropFirst(4 + 0x200)[...]
  func change() {
    guard changes.count >= 4 else { return }
    let bytes = Array(changes.prefix(4))
    changes = changes.dropFirst(4)
    try? memory.write(Array(bytes[2...]), at: UInt64(bytes[0]) | UInt64(bytes[1] & 3) << 8)
  }

  var chain = DescriptorChain()
  do throws(QueueFault) {
    for _ in 0..<64 {
      while try queue.pop(&chain) {
        precondition(chain.readableCount + chain.writableCount <= limit.bytes)
        precondition(chain.readableCount == chain.readable.byteCount && chain.writableCount == chain.writable.byteCount)
        precondition(chain.readable.count + chain.writable.count <= 16 + limit.descriptors)
        precondition((chain.readable + chain.writable).allSatisfy { $0.count > 0 })
        for slice in (chain.readable + chain.writable).prefix(64) where slice.count > 0 {
          _ = try! slice.load(UInt8.self, at: slice.count - 1)
        }
        for slice in chain.writable.prefix(64) where slice.count > 0 {
          try! slice.store(0xa5 as UInt8, at: slice.count - 1)
        }
        queue.push(chain, written: chain.writableCount)
        queue.notifyDriver()
        change()
        if changes.isEmpty { return 0 }
      }
      _ = queue.enableNotifications()
      change()
    }
  } catch {
    precondition(!queue.isLive, "a faulty queue lives on")
  }
  return 0
}

private let ramSize = 0x1000

private final class Silence: QueueInterrupt {
  func signal(queue: Int) {}
}
