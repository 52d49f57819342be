import Testing
import TraceTesting

@testable import FramePool

/// Memory of frames, aligned as the kernel's is.
final class Arena {
  let memory: UnsafeMutableRawPointer
  let frames: Int
  init(frames: Int) {
    self.frames = frames
    memory = .allocate(byteCount: frames * 4096, alignment: 1 << 21)
  }
  deinit { memory.deallocate() }
  var address: UInt64 { UInt64(UInt(bitPattern: memory)) }
}

@Suite struct FramePoolTests {
  enum Operation {
    case allocate(Int)
    case free(Int)
  }

  @Test func buddyBlocksAreDisjointAndComeBack() {
    let arena = Arena(frames: 300)
    let fault = Traces.fault { random in
      Bool.random(using: &random)
        ? Operation.allocate(Int.random(in: 0...4, using: &random)) : .free(Int.random(in: 0..<1000, using: &random))
    } _: { trace in
      var buddy = unsafe Buddy(at: arena.address, count: UInt64(arena.frames))
      let all = buddy.available
      var held: [(address: UInt64, order: Int)] = []
      for operation in trace {
        switch operation {
        case .allocate(let order):
          guard let address = buddy.allocate(order: order) else { continue }
          let size = UInt64(4096) << UInt64(order)
          if (address - arena.address) % size != 0 { return "not aligned" }
          if address + size > arena.address + UInt64(arena.frames) * 4096 { return "beyond the end" }
          if held.contains(where: { $0.address < address + size && address < $0.address + 4096 << UInt64($0.order) }) {
            return "given twice"
          }
          held.append((address, order))
        case .free(let index):
          guard !held.isEmpty else { continue }
          let block = held.remove(at: index % held.count)
          buddy.free(block.address, order: block.order)
        }
        if buddy.available + held.reduce(0, { $0 + 1 << UInt64($1.order) }) != all { return "counts do not add up" }
      }
      for block in held { buddy.free(block.address, order: block.order) }
      if buddy.available != all { return "frames are lost" }
      // All joined again: the largest block is there.
      if buddy.allocate(order: 8) == nil { return "blocks are not joined" }
      return nil
    }
    #expect(fault == nil)
  }

  @Test func slabsGiveFramesBack() {
    let arena = Arena(frames: 64)
    let fault = Traces.fault { random in
      Int.random(in: 0..<5, using: &random) < 3
        ? Operation.allocate(0) : .free(Int.random(in: 0..<1000, using: &random))
    } _: { trace in
      var buddy = unsafe Buddy(at: arena.address, count: UInt64(arena.frames))
      let all = buddy.available
      var slab = Slab(bytes: 200)
      var held: [UInt64] = []
      for operation in trace {
        switch operation {
        case .allocate:
          guard let address = slab.allocate(&buddy) else { continue }
          if address % 64 != 0 { return "not aligned" }
          if held.contains(where: { $0 < address + slab.size && address < $0 + slab.size }) { return "given twice" }
          held.append(address)
        case .free(let index):
          guard !held.isEmpty else { continue }
          slab.free(held.remove(at: index % held.count), &buddy)
        }
        if slab.used != UInt64(held.count) { return "counts do not add up" }
      }
      for address in held { slab.free(address, &buddy) }
      return buddy.available + 1 >= all ? nil : "frames are lost"
    }
    #expect(fault == nil)
  }

  @Test func quotas() {
    var parent = Quota(pages: 10)
    var child = Quota(pages: 0)
    let charged = parent.charge(100)
    #expect(charged && parent.usedPages == 1)
    let tooMuch = parent.transfer(pages: 10, to: &child)
    let enough = parent.transfer(pages: 9, to: &child)
    #expect(!tooMuch && enough)
    #expect(child.pages == 9 && parent.pages == 1)
    let (over, within) = (child.charge(9 * 4096 + 1), child.charge(4096))
    #expect(!over && within)
    let wraps = child.transfer(pages: .max, to: &parent)
    #expect(!wraps)
    child.refund(4096)
    child.close(into: &parent)
    #expect(parent.pages == 10 && child.pages == 0)
    parent.refund(1 << 40)
    #expect(parent.usedPages == 0)
  }
}
