import AgentProtocol
import Testing

@Suite struct InputWindowTests {
  /// What each spending of the list is answered, and what is left.
  private func spend(_ amounts: [Int], from window: inout InputWindow) -> [Bool] {
    amounts.map { window.spend($0) }
  }

  @Test func spendsNoMoreThanItHas() {
    var window = InputWindow(available: 10)
    #expect(spend([10, 1, 0, -1], from: &window) == [true, false, true, false])
    window.grant(5)
    #expect(window.nextFrame == 5)
    #expect(spend([6], from: &window) == [false])
    #expect(window.available == 5)
  }

  @Test func saturates() {
    var window = InputWindow(available: 2)
    window.grant(.max)
    #expect(window.available == .max)
    #expect(window.nextFrame == Agent.payloadLimit)
    #expect(spend([.max], from: &window) == [false])
  }
}
