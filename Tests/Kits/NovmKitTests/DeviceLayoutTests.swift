import Host
import Testing

@testable import NovmKit

struct DeviceLayoutTests {
  private func machine(_ body: (inout MachineRequest) throws -> Void = { _ in }) throws -> MachineDescription {
    var request = MachineRequest()
    try body(&request)
    return request.compose(kernel: KernelFiles(name: "k", release: "1", image: "/k/vmlinux"), scratch: "/w")
  }

  @Test func placesAreInNovmmsOrder() throws {
    let layout = DeviceLayout(try machine { $0.cards = [try CardRequest("tap=a"), try CardRequest("tap=b")] })
    #expect(layout.places == ["entropy": 0, "tree": 1, "vsock": 2, "balloon": 3, "card0": 4, "card1": 5])
    #expect(
      layout.arguments.map { String(decoding: $0, as: UTF8.self) } == [
        "--place", "entropy=0", "--place", "tree=1", "--place", "vsock=2", "--place", "balloon=3", "--place", "card0=4",
        "--place", "card1=5",
      ])
    #expect(DeviceLayout(layout.json) == layout)
  }

  /// As novmm has them.
  @Test func sharedFilesAreOneDevice() throws {
    let layout = DeviceLayout(
      try machine { request in
        request.shares = ["/etc/hosts", "/etc/passwd"].map { TreeShare(TreeMap(guest: "/shared\($0)", host: $0)) }
      })
    #expect(layout.places.keys.filter { $0.hasPrefix("share") } == ["share0"])
  }

  /// What a guest knows of its devices stays true when it is given another one, or loses one.
  @Test func devicesStayWhereTheyWere() throws {
    let first = DeviceLayout(try machine { $0.cards = [try CardRequest("tap=a")] })
    let more = try machine {
      $0.cards = [try CardRequest("tap=a")]
      $0.disks = [try Disk(Array("/d".utf8), directory: Array("/".utf8))]
    }
    #expect(DeviceLayout(more).places["card0"] == 5)
    let second = DeviceLayout(more, keeping: first)
    #expect(second.places == first.places.merging(["disk0": 5]) { $1 })
    let third = DeviceLayout(
      try machine {
        $0.hasBalloon = false
        $0.cards = [try CardRequest("tap=a"), try CardRequest("tap=b")]
      }, keeping: second)
    #expect(third.places == ["entropy": 0, "tree": 1, "vsock": 2, "card0": 4, "card1": 3])
  }

  /// A file that somebody wrote to, or that is of a machine on another bus.
  @Test func whatCannotBeIsNotKept() throws {
    let text = #"{"places": {"tree": 20, "vsock": 0, "entropy": 0, "balloon": -1, "none": 3}}"#
    let odd = try #require(DeviceLayout(Array(text.utf8)))
    let layout = DeviceLayout(try machine(), keeping: odd)
    #expect(Set(layout.places.values) == [0, 1, 2, 3] && layout.places.count == 4)
    let onBus = DeviceLayout(try machine { $0.transport = .pci }, keeping: odd)
    #expect(onBus.places["tree"] == 20)
    #expect(DeviceLayout(Array("{".utf8)) == nil && DeviceLayout(nil as [UInt8]?) == nil)
  }
}
