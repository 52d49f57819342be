import Testing

@testable import Machine

struct ControlOrderTests {
  @Test func usageIsAsked() {
    #expect(order("usage") == .usage && order("usage x") == nil)
  }

  private func order(_ text: String) -> ControlOrder? { ControlOrder(Array(text.utf8)[...]) }

  @Test func ordersAreWords() {
    #expect(order("pause") == .pause && order("resume") == .resume && order("status") == .status)
    #expect(order("save") == .save && order("save x") == nil)
    #expect(order("quiesce") == .quiesce && order("quiesce ") == nil)
    #expect(order("resize 0") == .resize(disk: "0", size: nil))
    #expect(order("resize a-disk 1048576") == .resize(disk: "a-disk", size: 1 << 20))
    #expect(order("balloon") == .balloon(size: nil) && order("balloon 4096") == .balloon(size: 4096))
    for text in ["balloon ", "balloon x", "balloon 1 2", "balloon -1"] { #expect(order(text) == nil, "\(text)") }
    for text in [
      "resize", "resize ", "resize 0 ", "resize 0 -1", "resize 0 1 2", "resize 0 99999999999999999999", "resize  0",
    ] {
      #expect(order(text) == nil, "\(text)")
    }
    #expect(order("egress allow a.b:443/tcp") == .egress(.allow, grant: "a.b:443/tcp"))
    #expect(order("egress remove *.a") == .egress(.remove, grant: "*.a"))
    for text in ["egress", "egress allow", "egress allow ", "egress frob a", "egress deny a b"] {
      #expect(order(text) == nil, "\(text)")
    }
    #expect(order("capture 0") == .capture(0) && order("capture 12") == .capture(12))
    for text in [
      "capture", "capture ", "capture -1", "capture x", "capture 99999999999999999999", "", "pause ", " pause", "PAUSE",
      "pauses", "unpause", "pause\r",
    ] {
      #expect(order(text) == nil, "\(text)")
    }
  }
}
