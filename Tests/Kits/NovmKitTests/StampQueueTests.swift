import Testing

@testable import NovmKit

struct StampQueueTests {
  private let share = Array("/s".utf8)

  private func path(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test func eachOnceInOrder() {
    var queue = StampQueue()
    for name in ["/s/b", "/s/a", "/s/b", "/s/c"] { queue.add(path(name), in: share, of: share) }
    #expect(queue.take(2) == [path("/s/b"), path("/s/a")])
    // What was taken may change again.
    queue.add(path("/s/a"), in: share, of: share)
    #expect(queue.take(9) == [path("/s/c"), path("/s/a")])
    #expect(queue.take(9).isEmpty)
  }

  @Test func ofMoreTheDirectoriesAreTold() {
    var queue = StampQueue()
    for number in 0..<3000 { queue.add(path("/s/d\(number % 3)/\(number)"), in: path("/s/d\(number % 3)"), of: share) }
    #expect(queue.count == StampQueue.limit + 3)
    #expect(queue.take(1000).suffix(3).sorted { $0.lexicographicallyPrecedes($1) } == (0..<3).map { path("/s/d\($0)") })
  }

  @Test func ofStillMoreTheShares() {
    var queue = StampQueue()
    let other = path("/t")
    queue.add(path("/t/f"), in: other, of: other)
    for number in 0..<(StampQueue.limit + WatchedShare.mostDirectories) {
      queue.add(path("/s/\(number)/f"), in: path("/s/\(number)"), of: share)
    }
    #expect(queue.count == 2)
    #expect(queue.take(9) == [share, other])
    // It goes on as it began.
    queue.add(path("/s/a"), in: share, of: share)
    #expect(queue.take(9) == [path("/s/a")])
  }

  @Test func bytesAreBounded() {
    var queue = StampQueue()
    var most = 0
    for number in 0..<1000 {
      let directory = path("/s/\(number)") + [UInt8](repeating: 0x61, count: 4000)
      queue.add(directory + path("/f"), in: directory, of: share)
      most = max(most, queue.count)
    }
    #expect(most <= StampQueue.mostBytes / 4000)
    #expect(queue.count < most)
  }

  @Test func neitherKindWaitsForTheOthersEnd() {
    var queues = StampQueues()
    for number in 0..<10 {
      queues.add(path("/s/\(number)"), .content, in: share, of: share)
      queues.add(path("/s/\(number)"), .attributes, in: share, of: share)
    }
    for kind in [.content, .attributes, .content, .attributes, .content, .attributes] as [GuestStamps.Kind] {
      let taken = queues.take(4)
      #expect(taken?.0 == kind && taken?.1.isEmpty == false)
    }
    #expect(queues.take(4) == nil)
    // One alone need not wait for the other.
    for _ in 0..<2 {
      queues.add(path("/s/f"), .attributes, in: share, of: share)
      #expect(queues.take(4)?.0 == .attributes)
    }
  }
}
