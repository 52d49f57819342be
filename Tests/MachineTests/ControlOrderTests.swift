import Testing

@testable import Machine

struct ControlOrderTests {
  private func order(_ text: String) -> ControlOrder? { ControlOrder(Array(text.utf8)[...]) }

  @Test func ordersAreWords() {
    #expect(order("pause") == .pause && order("resume") == .resume && order("status") == .status)
    for text in ["", "pause ", " pause", "PAUSE", "pauses", "unpause", "pause\r"] {
      #expect(order(text) == nil, "\(text)")
    }
  }
}
