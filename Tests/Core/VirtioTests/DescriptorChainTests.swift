import GuestMemory
import Testing
import VirtioTesting

@testable import Virtio

struct DescriptorChainTests {
  private let memory = FakeGuestMemory(size: 4096)

  private var slices: [GuestSlice] {
    [
      try! memory.slice(at: 0, count: 3), .empty, try! memory.slice(at: 100, count: 4),
      try! memory.slice(at: 200, count: 1),
    ]
  }

  @Test func copyAcrossSlices() {
    #expect(slices.byteCount == 8)
    #expect(slices.copy(from: [1, 2, 3, 4, 5, 6, 7, 8, 9]) == 8)
    #expect(slices.bytes(count: 8) == [1, 2, 3, 4, 5, 6, 7, 8])
    #expect(slices.copy(from: [20, 21], at: 2) == 2)
    #expect(slices.bytes(at: 1, count: 4) == [2, 20, 21, 5])
    #expect(slices.copy(from: [9, 9], at: 7) == 1)
    #expect(slices.copy(from: [9], at: 8) == 0)
    #expect(slices.copy(from: [9], at: -1) == 0)
  }

  @Test(arguments: [(0, 9), (8, 1), (9, 0), (-1, 1), (0, -1), (.max, 1), (1, .max), (.min, 0)] as [(Int, Int)])
  func bytesThatAreNotThere(offset: Int, count: Int) {
    #expect(slices.bytes(at: offset, count: count) == nil)
  }

  @Test func piecesEndWhereTheyShould() {
    var pieces: [Int] = []
    slices.forEachPiece(from: 2, count: 5) { pieces.append($0.count) }
    #expect(pieces == [1, 4])
    pieces = []
    slices.forEachPiece(from: 4, count: .max) { pieces.append($0.count) }
    #expect(pieces == [3, 1])
    slices.forEachPiece(from: 0, count: 0) { _ in Issue.record("no piece was asked for") }
    slices.forEachPiece(from: -1, count: 5) { _ in Issue.record("no such place") }
  }
}
