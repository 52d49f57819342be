import Foundation
import HostTesting
import Testing

@testable import KernelBundle

struct ModuleInfoTests {
  @Test func readsItsStrings() throws {
    let info = try ModuleInfo(
      module: Synthetic.module([
        "name=virtio_rng", "depends=rng-core,virtio", "alias=virtio:d00000004v*", "alias=of-x", "nonsense", "=",
        "softdep=pre: a-b c post: d", "vermagic=6.1.0-56-amd64 SMP preempt mod_unload modversions ",
      ]))
    #expect(info.name == "virtio_rng")
    #expect(info.dependencies == ["rng_core", "virtio"])
    #expect(info.aliases == ["virtio:d00000004v*", "of-x"])
    #expect(info.softPre == ["a_b", "c"])
    #expect(info.softPost == ["d"])
    #expect(info.release == "6.1.0-56-amd64")
  }

  @Test func withoutDependencies() throws {
    #expect(try ModuleInfo(module: Synthetic.module(["depends="])).dependencies == [])
  }

  @Test func damagedModules() {
    #expect(throws: ImageFault.notAKernel) { try ModuleInfo(module: []) }
    #expect(throws: ImageFault.notAModule) { try ModuleInfo(module: Synthetic.kernel()) }
    let module = Synthetic.module(named: "x", depends: ["y"])
    for cut in 0..<module.count { #expect(throws: ImageFault.self) { try ModuleInfo(module: Array(module[..<cut])) } }
    for at in module.indices {
      var damaged = module
      damaged[at] = 0xFF
      _ = try? ModuleInfo(module: damaged)
    }
  }

  @Test func aliasesAndNodes() {
    #expect(ModuleInfo.normalisedAlias("pci-a[0-9]-b") == "pci_a[0-9]_b")
    let fuse = ModuleInfo(strings: Array("alias=devname:fuse\0alias=char-major-10-229\0".utf8)[...])
    #expect(fuse.deviceNode == "fuse c10:229")
    #expect(ModuleInfo(strings: Array("alias=char-major-10-229\0".utf8)[...]).deviceNode == nil)
    #expect(ModuleInfo.exportedSymbols(Synthetic.module([], exports: ["a", "b", "NS", "NS"])) == ["a", "b", "NS"])
  }
}

struct ModuleResolverTests {
  private func order(_ tree: String, _ names: [String]) throws -> [String] {
    var resolver = ModuleResolver(try ModuleTree(tree), release: Synthetic.release)
    for name in names { try resolver.add(name, neededBy: "test") }
    return resolver.resolved.map(\.module.name)
  }

  @Test func dependenciesComeFirstAndOnce() throws {
    let directory = try TemporaryDirectory()
    let tree = try Synthetic.moduleTree(in: directory)
    let order = try order(tree, GuestPart.allCases.filter { $0 != .panic }.map(\.module))
    #expect(
      Set(order)
        == Set(Synthetic.guestModules.map { ModuleInfo.normalised(String($0.path.split(separator: "/").last!)) }))
    #expect(order.count == Synthetic.guestModules.count)
    for (path, depends) in Synthetic.guestModules {
      let place = order.firstIndex(of: ModuleInfo.normalised(String(path.split(separator: "/").last!)))!
      for name in depends { #expect(order.firstIndex(of: ModuleInfo.normalised(name))! < place) }
    }
    // virtio_console is built in.
    #expect(!order.contains("virtio_console"))
  }

  @Test(arguments: [Compression.gzip, .xz, .zstd]) func compressedModules(_ format: Compression) throws {
    try #require(Tool.exists(format.tool.name))
    let suffix = [.gzip: "gz", .xz: "xz", .zstd: "zst"][format]!
    let directory = try TemporaryDirectory()
    try directory.write("m/a.ko.\(suffix)", format.compress(Synthetic.module(named: "a", depends: ["b"])))
    try directory.write("m/b.ko", Synthetic.module(named: "b"))
    #expect(try order("\(directory.path)/m", ["a"]) == ["b", "a"])
    let tree = try ModuleTree("\(directory.path)/m")
    #expect(try tree.image(of: tree.modules["a"]!) == Synthetic.module(named: "a", depends: ["b"]))
  }

  @Test func damagedCompressedModuleIsNamed() throws {
    let directory = try TemporaryDirectory()
    let packed = try Compression.gzip.compress(Synthetic.module(named: "a"))
    let path = try directory.write("m/a.ko.gz", packed.dropLast(9))
    #expect(throws: KernelBundleError.image(path: path, .compression(.gzip, .truncated))) {
      try order("\(directory.path)/m", ["a"])
    }
  }

  @Test func softDependenciesAndLoops() throws {
    let directory = try TemporaryDirectory()
    try directory.write(
      "m/a.ko", Synthetic.module(named: "a", depends: ["b"], ["softdep=pre: soft absent post: after"]))
    try directory.write("m/b.ko", Synthetic.module(named: "b", depends: ["a"]))
    try directory.write("m/soft.ko", Synthetic.module(named: "soft"))
    try directory.write("m/after.ko", Synthetic.module(named: "after"))
    #expect(try order("\(directory.path)/m", ["a"]) == ["soft", "b", "a", "after"])
  }

  @Test func missingDependencyIsNamed() throws {
    let directory = try TemporaryDirectory()
    let tree = try Synthetic.moduleTree(in: directory, without: ["fuse"])
    #expect(throws: KernelBundleError.missingModule(release: Synthetic.release, name: "fuse", neededBy: "virtiofs")) {
      try order(tree, ["virtiofs"])
    }
  }

  @Test func updatesReplaceWhatCameWithTheKernel() throws {
    let directory = try TemporaryDirectory()
    try directory.write("m/kernel/a.ko", Synthetic.module(named: "a"))
    try directory.write("m/updates/dkms/a.ko", Synthetic.module(named: "a"))
    #expect(try ModuleTree("\(directory.path)/m").modules["a"]?.path == "updates/dkms/a.ko")
  }

  @Test func notATree() throws {
    let directory = try TemporaryDirectory()
    try directory.write("empty/readme", "")
    let path = "\(directory.path)/empty"
    #expect(throws: KernelBundleError.notAModuleTree(path: path)) { try ModuleTree(path) }
    #expect(throws: KernelBundleError.self) { try ModuleTree("\(path)/none") }
    #expect(throws: KernelBundleError.notAModuleTree(path: "\(path)/readme")) { try ModuleTree("\(path)/readme") }
  }
}

struct ModuleIndexTests {
  /// Looks a key up as libkmod does.
  private func values(_ file: [UInt8], _ key: String) -> [String]? {
    guard file.u32BigEndian(at: 0) == 0xB007_F457, file.u32BigEndian(at: 4) == 0x0002_0001 else { return nil }
    var offset = file.u32BigEndian(at: 8)!
    var rest = Array(key.utf8)[...]
    while true {
      var at = Int(offset & 0x0FFF_FFFF)
      if offset & 0x8000_0000 != 0 {
        let prefix = Array(file.cString(at: at)!.utf8)
        guard rest.starts(with: prefix) else { return nil }
        rest = rest.dropFirst(prefix.count)
        at += prefix.count + 1
      }
      if offset & 0x2000_0000 != 0 {
        let (first, last) = (file[at], file[at + 1])
        if let byte = rest.first {
          guard (first...last).contains(byte) else { return nil }
          offset = file.u32BigEndian(at: at + 2 + 4 * Int(byte - first))!
          if offset == 0 { return nil }
          rest = rest.dropFirst()
          continue
        }
        at += 2 + 4 * (Int(last) - Int(first) + 1)
      }
      guard rest.isEmpty, offset & 0x4000_0000 != 0 else { return nil }
      var values: [String] = []
      let count = file.u32BigEndian(at: at)!
      at += 4
      for _ in 0..<count {
        let value = file.cString(at: at + 4)!
        values.append(value)
        at += 4 + value.utf8.count + 1
      }
      return values
    }
  }

  @Test func everyKeyIsFoundAndNoOther() {
    let keys = ["a", "ab", "abc", "abd", "b", "char_major_10_229", "char_major_10_*", "ext4", "ext3", ""]
    var index = ModuleIndex()
    for (place, key) in keys.enumerated() { index.add(key, "value of \(key)", priority: place) }
    index.add("ab", "second", priority: 100)
    index.add("ab", "first", priority: 0)
    index.add("ab", "second", priority: 200)
    index.add("é", "never", priority: 0)
    let file = index.encoded()!
    for key in keys where key != "ab" { #expect(values(file, key) == ["value of \(key)"]) }
    #expect(values(file, "ab") == ["first", "value of ab", "second"])
    for key in ["ac", "abcd", "ext", "ext5", "c", "é", "char_major_10_2"] { #expect(values(file, key) == nil) }
  }

  @Test func nothingIsAnIndexToo() {
    #expect(values(ModuleIndex().encoded()!, "a") == nil)
  }

  @Test func aTreeGetsItsFiles() throws {
    let directory = try TemporaryDirectory()
    let root = try Synthetic.moduleTree(in: directory)
    try directory.write("modules/modules.order", "kernel/fs/fuse/virtiofs.ko\n")
    try directory.write(
      "modules/kernel/x.ko", Synthetic.module(named: "x", ["alias=fs-x", "softdep=pre: fuse"], exports: ["x_do"]))
    try directory.write("modules/modules.builtin.modinfo", Array("ext4.alias=fs-ext4\0ext4.license=GPL\0".utf8))
    #expect(!ModuleIndexes.isIndexed(root))
    try ModuleIndexes(try ModuleTree(root)) { _ in }.write(to: root)
    #expect(ModuleIndexes.isIndexed(root))

    let lines = String(decoding: try directory.read("modules/modules.dep"), as: UTF8.self).split(separator: "\n")
    // modules.order goes first; dependencies are loaded from the last to the first.
    let fuse = "kernel/fs/fuse/fuse.ko"
    let virtio = "kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko"
    #expect(lines.first == "kernel/fs/fuse/virtiofs.ko: \(virtio) \(fuse)")
    #expect(lines.contains("\(Substring(fuse)):"))
    #expect(values(try directory.read("modules/modules.dep.bin"), "virtiofs") == [String(lines[0])])
    #expect(values(try directory.read("modules/modules.alias.bin"), "fs_x") == ["x"])
    #expect(values(try directory.read("modules/modules.symbols.bin"), "symbol:x_do") == ["x"])
    #expect(values(try directory.read("modules/modules.builtin.bin"), "ext4") == [""])
    #expect(values(try directory.read("modules/modules.builtin.alias.bin"), "fs_ext4") == ["ext4"])
    #expect(
      String(decoding: try directory.read("modules/modules.softdep"), as: UTF8.self).contains("softdep x pre: fuse"))
  }
}
