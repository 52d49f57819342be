import Host
import KVM
import Testing

@testable import Machine

struct ControlOrderTests {
  @Test func usageIsAsked() {
    #expect(order("usage") == .usage && order("usage x") == nil)
  }

  /// However many write maps there are, a client can read the answer, with all else that is in it.
  @Test func usageHasABound() {
    #expect(ControlClient.usage([]) == "usage")
    #expect(ControlClient.usage(["nodes=1", "written=1/2/3", "streams=4"]) == "usage nodes=1 streams=4 written=1/2/3")
    let map = "written=\(UInt64.max)/\(UInt64.max)/\(UInt64.max)"
    for count in [1, 50, 60, 200] {
      let answer = ControlClient.usage([String](repeating: map, count: count) + ["streams=7"])
      #expect(answer.utf8.count < ControlClient.answerLimit && answer.hasPrefix("usage streams=7 written="))
      let words = answer.split(separator: " ")
      let listed = words.count { $0 == map }
      #expect(listed == count ? words.last == map[...] : words.last == "unlisted=\(count - listed)" && listed >= 50)
    }
  }

  @Test func refusalsAreWords() {
    #expect(SaveFailure.kvm(.request("KVM_GET_REGS", Errno(5))).words == "KVM_GET_REGS: Input/output error")
    #expect(SaveFailure.part(.cannotSave(device: 19)).words.hasPrefix("a device of kind 19"))
    #expect(SaveFailure.part(.tooLarge).words.hasPrefix("the state of its devices is larger"))
    let others: [SaveFailure] = [.part(.cannotSave(device: 7)), .part(.cutShort), .kvm(.version(3)), .file(Errno(28))]
    for failure in others {
      #expect(!failure.words.contains("("), "\(failure.words)")
    }
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
