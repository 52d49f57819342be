import Testing

@testable import NovmKit

struct MemorySizeTests {
  @Test(arguments: [
    ("512", 512), ("512M", 512), ("2G", 2048), ("2GiB", 2048), ("1t", 1 << 20), ("65536K", 64), ("1k", 1), ("0", 0),
  ])
  func parses(_ text: String, mebibytes: Int) {
    #expect(MemorySize(text)?.mebibytes == mebibytes)
  }

  @Test(arguments: ["", "M", "-1", "1.5G", "12Q", "0x10", " 5", "99999999999999999999", "18446744073709551615G"])
  func refuses(_ text: String) {
    #expect(MemorySize(text) == nil)
  }

  @Test(arguments: [(256, 256), (512, 512), (900, 512), (2000, 1000), (8192, 4096), (1 << 20, 4096)])
  func usualIsHalfOfTheHosts(_ host: Int, mebibytes: Int) {
    #expect(MemorySize.usual(ofHost: host).mebibytes == mebibytes)
  }

  @Test func whatIsTakenAtOnceIsModest() throws {
    var settings = MachineSettings()
    let usual = try MachineRequest(settings, directory: []).memory
    #expect(usual == .usual(ofHost: HostLimits.usableMemory))
    // It is written down, so that a machine is the same at each start.
    #expect(try settings.absolute(Array("/".utf8)).memory == usual.argument)
    settings.prefault = true
    #expect(try MachineRequest(settings, directory: []).memory == .modest)
  }

  @Test func reads() {
    #expect(MemorySize(mebibytes: 2048).description == "2 GiB")
    #expect(MemorySize(mebibytes: 1500).description == "1500 MiB")
  }
}
