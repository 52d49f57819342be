import Testing

@testable import PCI

struct MSIXTableTests {
  private let sink = Sent()
  private let table: MSIXTable

  private static let enable: UInt16 = 0x8000
  private static let maskAll: UInt16 = 0x4000

  init() { table = MSIXTable(count: 3, sink: sink) }

  private func setUp(_ vector: Int, data: UInt32, masked: Bool = false) {
    let entry = 16 * UInt64(vector)
    table.setWord(0xfee0_1000, at: entry)
    table.setWord(0, at: entry + 4)
    table.setWord(data, at: entry + 8)
    table.setWord(masked ? 1 : 0, at: entry + 12)
  }

  @Test func messagesGoWhereSoftwareSays() {
    table.setControl(Self.enable)
    setUp(0, data: 33)
    setUp(2, data: 35)
    table.signal(2)
    table.signal(0)
    #expect(sink.messages == [35, 33].map { InterruptMessage(address: 0xfee0_1000, data: $0) })
    #expect(table.pendingWord(at: 0) == 0)
  }

  @Test func nothingIsSentUntilSoftwareHasEnabledIt() {
    setUp(0, data: 33)
    table.signal(0)
    #expect(sink.messages.isEmpty && table.pendingWord(at: 0) == 0)
    table.setControl(Self.enable)
    #expect(sink.messages.isEmpty)
  }

  /// 6.8.2.9: every vector is masked after a reset.
  @Test func vectorsBeginMasked() {
    table.setControl(Self.enable)
    #expect(table.word(at: 12) == 1)
    table.signal(0)
    #expect(sink.messages.isEmpty && table.pendingWord(at: 0) == 1)
  }

  @Test func whatWaitsIsSentOnceWhenUnmasked() {
    table.setControl(Self.enable)
    setUp(1, data: 34, masked: true)
    table.signal(1)
    table.signal(1)
    #expect(sink.messages.isEmpty && table.pendingWord(at: 0) == 0b10)
    table.setWord(35, at: 24)  // Another message meanwhile.
    table.setWord(0, at: 28)
    #expect(sink.messages.map(\.data) == [35] && table.pendingWord(at: 0) == 0)
    table.setWord(1, at: 28)
    table.setWord(0, at: 28)
    #expect(sink.messages.count == 1)
  }

  @Test func allAreMaskedAtOnce() {
    setUp(0, data: 33)
    setUp(1, data: 34)
    setUp(2, data: 35, masked: true)
    table.setControl(Self.enable | Self.maskAll)
    for vector in 0..<3 { table.signal(vector) }
    #expect(sink.messages.isEmpty && table.pendingWord(at: 0) == 0b111)
    table.setControl(Self.enable)
    #expect(sink.messages.map(\.data) == [33, 34] && table.pendingWord(at: 0) == 0b100)
    table.clearPending()
    table.setWord(0, at: 44)
    #expect(sink.messages.count == 2)
  }

  @Test func entriesReadAsWritten() {
    table.setWord(0xffff_ffff, at: 0)
    table.setWord(0x1234_5678, at: 4)
    table.setWord(.max, at: 12)
    #expect(table.word(at: 0) == .max && table.word(at: 4) == 0x1234_5678 && table.word(at: 12) == 1)
  }

  @Test(arguments: [48, 1 << 20, .max, .max - 3] as [UInt64])
  func beyondTheEnd(offset: UInt64) {
    table.setWord(7, at: offset)
    #expect(table.word(at: offset) == 0 && table.pendingWord(at: offset) == 0)
    table.signal(3)
    table.signal(-1)
    table.signal(0xffff)
    #expect(sink.messages.isEmpty)
  }

  @Test func capability() {
    let (body, writable) = table.capability(region: 2, table: 0x1000, pending: 0x2000)
    #expect(body == [2, 0, 0x02, 0x10, 0, 0, 0x02, 0x20, 0, 0] && writable == [0, 0xc0])
  }

  /// Whoever signals and whoever unmasks meet in every order: each signal is sent, or joins one that is yet to be sent.
  @Test func nothingIsLostBetweenThreads() async {
    table.setControl(Self.enable)
    setUp(0, data: 33)
    let table = Shared(table)
    await withTaskGroup(of: Void.self) { group in
      group.addTask { for _ in 0..<20_000 { table.value.signal(0) } }
      group.addTask {
        for _ in 0..<20_000 {
          table.value.setWord(1, at: 12)
          table.value.setWord(0, at: 12)
        }
      }
    }
    #expect(table.value.pendingWord(at: 0) == 0 && !sink.messages.isEmpty)
  }
}

/// The table is made for several threads; the compiler does not know.
private struct Shared: @unchecked Sendable {
  let value: MSIXTable
  init(_ value: MSIXTable) { self.value = value }
}
