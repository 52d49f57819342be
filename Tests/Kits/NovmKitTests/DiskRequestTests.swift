import Host
import KernelBundle
import Testing

@testable import NovmKit

struct DiskRequestTests {
  private let limits = HostLimits(memory: MemorySize(mebibytes: 1 << 20))
  private let here = Array("/here".utf8)

  private func request(_ change: (inout MachineSettings) -> Void) throws(NovmError) -> MachineRequest {
    var settings = MachineSettings()
    change(&settings)
    return try MachineRequest(settings, directory: here)
  }

  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  @Test func pathsAreAbsolute() throws {
    var settings = MachineSettings()
    settings.disk = ["a,,b,ro", "/c,dev=x"]
    settings.rootDisk = "root"
    let absolute = try settings.absolute(here)
    #expect(absolute.disk == ["/here/a,,b,ro", "/c,serial=x,dev=x"])
    #expect(absolute.rootDisk == "/here/root")
    settings.pmem = ["p,ro"]
    #expect(try settings.absolute(here).pmem == ["/here/p,ro"])
    let elsewhere = try MachineRequest(absolute, directory: [])
    let there = try MachineRequest(settings, directory: here)
    #expect(elsewhere.disks == there.disks && elsewhere.rootDisk == there.rootDisk)
  }

  @Test func disksBesideATree() throws {
    let request = try request { $0.disk = ["a,dev=x", "b,ro"] }
    try request.validate(host: limits)
    #expect(request.initramfsParts.contains(.disk) && !request.initramfsParts.contains(.ext4))
    let machine = request.compose(kernel: KernelFiles(name: "k", release: "1", image: "/k/vmlinux"), scratch: "/w")
    let arguments = machine.arguments.map(text)
    #expect(arguments.contains("/here/a,serial=x,dev=x") && arguments.contains("/here/b,ro"))
    let line = text(machine.kernelCommandLine)
    #expect(line.hasPrefix("root=root rootfstype=virtiofs rw ") && line.contains(" novm.disk=x=x "))
  }

  @Test func persistentMemory() throws {
    let request = try request { $0.pmem = ["a", "b,,c,ro"] }
    try request.validate(host: limits)
    #expect(request.initramfsParts.contains(.pmem) && !request.initramfsParts.contains(.disk))
    let machine = request.compose(kernel: KernelFiles(name: "k", release: "1", image: "/k/vmlinux"), scratch: "/w")
    let arguments = machine.arguments.map(text)
    let places = arguments.indices.filter { arguments[$0] == "--pmem" }
    #expect(places.map { arguments[$0 + 1] } == ["/here/a", "/here/b,,c,ro"])
    #expect(text(machine.kernelCommandLine).contains(" novm.pmem=0 novm.pmem=1,ro "))
    #expect(throws: NovmError.disk(option: "--pmem", Array("a,x".utf8), .onlyReadOnly("x"))) {
      try self.request { $0.pmem = ["a,x"] }
    }
    #expect(try !self.request { $0.pmem = [] }.initramfsParts.contains(.pmem))
  }

  @Test func rootDisk() throws {
    var request = try request {
      $0.rootDisk = "root,ro"
      $0.disk = ["a"]
    }
    request.shares = [
      TreeShare(TreeMap(guest: "/s", host: "/tmp")), TreeShare(TreeMap(guest: "/s/t", host: "/usr"), isReadOnly: true),
    ]
    try request.validate(host: limits)
    #expect(request.initramfsParts.contains(.disk) && request.initramfsParts.contains(.ext4))
    var kernel = KernelFiles(name: "k", release: "1", image: "/k/vmlinux")
    kernel.modules = "/k/modules"
    let machine = request.compose(kernel: kernel, scratch: "/w")
    #expect(machine.reads.isEmpty && machine.writes.isEmpty)
    #expect(machine.disks.map { text($0.argument) } == ["/here/root,ro", "/here/a"])
    let line = text(machine.kernelCommandLine)
    #expect(line.hasPrefix("root=/dev/vda rootfstype=ext4 ro "))
    #expect(line.contains(" novm.mount=share0:/s novm.mount-ro=share1:/s/t novm.modules=modules:/lib/modules/1 "))
    #expect(!line.contains("novm.keep"))
  }

  @Test func whatDoesNotGoTogether() throws {
    let cases: [(NovmError, (inout MachineSettings) -> Void)] = [
      (.withoutTree(option: "--read"), { $0.read = ["/"] }),
      (.withoutTree(option: "--volume"), { $0.volume = ["a=>/b"] }),
      (.withoutTree(option: "--pack"), { $0.pack = ["a"] }),
      (.withoutTree(option: "--hide"), { $0.hide = ["/a"] }),
      (.withoutTree(option: "--dax"), { $0.dax = "auto" }),
      (.shareOnDisk(Array("/".utf8)), { $0.share = ["/=>/tmp"] }),
      (.shareOnDisk(Array("/a b".utf8)), { $0.share = ["/a b=>/tmp"] }),
      (.tooManyShares(8, most: 7), { $0.share = (0..<8).map { "/s\($0)=>/tmp" } }),
      (.repeatedSerial("x"), { $0.disk = ["a,serial=x", "b,serial=x"] }),
      (.repeatedDiskName("x"), { $0.disk = ["a,dev=x,serial=1", "b,dev=x,serial=2"] }),
      (.tooManyDisks(13), { $0.disk = (0..<12).map { "d\($0)" } }),
    ]
    for (error, change) in cases {
      let request = try request {
        $0.rootDisk = "root"
        change(&$0)
      }
      #expect(throws: error) { try request.validate(host: limits) }
      #expect(!error.message.contains("\n"))
    }
    #expect(throws: NovmError.disk(option: "--root-disk", Array("a,x".utf8), .unknownKey("x"))) {
      try request { $0.rootDisk = "a,x" }
    }
    #expect(throws: NovmError.disk(option: "--disk", Array("fd:3".utf8), .descriptorOfNovm)) {
      try request { $0.disk = ["fd:3"] }
    }
  }
}
