import Testing

@testable import Devices

struct VsockCreditTests {
  @Test func countersWrap() {
    let credit = Account(allocation: 1 << 20)
    var total: UInt64 = 0
    // More than 2^32 bytes each way, never more than 1 MiB under way.
    while total < 1 << 33 {
      let isWithin = credit.receive(1 << 20)
      #expect(isWithin)
      #expect(!credit.receive(1))
      credit.forward(1 << 20)
      credit.send(1 << 20)
      let isHonest = credit.hear(allocation: 1 << 20, forwarded: credit.sent)
      #expect(isHonest)
      #expect(credit.sendable == 1 << 20)
      total += 1 << 20
      if !isWithin || !isHonest { return }
    }
    #expect(credit.announce() == 0)
  }

  @Test func receivingIsBounded() {
    let credit = Account(allocation: 100)
    #expect(credit.receive(100))
    #expect(!credit.receive(1))
    credit.forward(40)
    #expect(!credit.receive(41))
    #expect(credit.receive(40))
    #expect(!credit.receive(.max))
  }

  @Test func peerShrinksItsBuffer() {
    let credit = Account(allocation: 100)
    #expect(credit.hear(allocation: 1000, forwarded: 0))
    credit.send(600)
    #expect(credit.sendable == 400)
    #expect(credit.hear(allocation: 500, forwarded: 0))
    #expect(credit.sendable == 0)
    #expect(credit.hear(allocation: .max, forwarded: 600))
    #expect(credit.sendable == .max)
  }

  @Test func staleCountsAreIgnoredAndFutureOnesRefused() {
    let credit = Account(allocation: 100)
    #expect(credit.hear(allocation: 1000, forwarded: 0))
    credit.send(500)
    #expect(credit.hear(allocation: 1000, forwarded: 300))
    #expect(credit.hear(allocation: 1000, forwarded: 200))
    #expect(credit.sendable == 800)
    #expect(!credit.hear(allocation: 1000, forwarded: 501))
  }

  @Test func announcementsComeAtHalf() {
    let credit = Account(allocation: 100)
    _ = credit.receive(100)
    credit.forward(49)
    #expect(!credit.isAnnouncementDue)
    credit.forward(1)
    #expect(credit.isAnnouncementDue)
    #expect(credit.announce() == 50)
    #expect(!credit.isAnnouncementDue)
  }
}

/// The credit behind a reference, since an expectation cannot mutate a value.
@dynamicMemberLookup
private final class Account {
  private var credit: VsockCredit

  init(allocation: UInt32) { credit = VsockCredit(allocation: allocation) }

  subscript<Value>(dynamicMember path: KeyPath<VsockCredit, Value>) -> Value { credit[keyPath: path] }

  func hear(allocation: UInt32, forwarded: UInt32) -> Bool { credit.hear(allocation: allocation, forwarded: forwarded) }
  func receive(_ count: UInt32) -> Bool { credit.receive(count) }
  func send(_ count: Int) { credit.send(count) }
  func forward(_ count: Int) { credit.forward(count) }
  func announce() -> UInt32 { credit.announce() }
}
