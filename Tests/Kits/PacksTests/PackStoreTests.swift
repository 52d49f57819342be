import Foundation
import Host
import HostTesting
import Testing

@testable import Packs

struct PackStoreTests {
  private let scratch: PackScratch
  private var store: PackStore { scratch.store }

  init() throws { scratch = try PackScratch() }

  @Test func aDirectoryBecomesAPack() throws {
    try scratch.shell(
      """
      mkdir -p source/{bin,empty,secret}; cd source; ((UID)) && mode=500 || mode=0
      echo hello >bin/hello; chmod 4755 bin/hello; ln bin/hello bin/hi; ln -s hello bin/link; cp -p bin/hello copy
      touch $'od\\xffd name'; mkfifo pipe; mknod gone c 0 0; chmod $mode empty; echo x >secret/.novm.work; touch .novm.work
      """)
    let pack = try scratch.create("one", exclude: ["secret/x"])
    let manifest = try store.manifest(of: pack)
    let paths = manifest.entries.map { String(printable: $0.path) }
    #expect(
      paths == [
        "", "bin", "bin/hello", "bin/hi", "bin/link", "copy", "empty", "gone", "od\\xffd name", "pipe", "secret",
        "secret/.novm.work",
      ])
    #expect(manifest.entries[2].mode == 0o4755 && manifest.entries[6].mode == (geteuid() == 0 ? 0 : 0o500))
    #expect(manifest.entries[3].kind == .link(to: Array("bin/hello".utf8)))
    #expect(manifest.entries[4].kind == .symlink(target: Array("hello".utf8)))
    #expect(manifest.entries[7].kind == .whiteout && manifest.entries[9].kind == .fifo)
    #expect(try store.verify(pack) == [])
    // A copy with the same time is the same file, and no program of the host's has a set-id bit.
    let status = try FileManager.default.attributesOfItem(atPath: "\(pack.tree)/copy")
    #expect(status[.referenceCount] as? Int == 4)
    #expect((status[.posixPermissions] as? NSNumber)?.intValue == 0o755)
  }

  /// Nearly as deep as a path can tell: what is open meanwhile is not more for it.
  @Test func aDeepDirectory() throws {
    try scratch.shell("mkdir source")
    DeepTree.make(scratch.source, depth: 2000, name: "d", file: "f", "text")
    let pack = try scratch.create("deep")
    let manifest = try store.manifest(of: pack)
    #expect(manifest.entries.count == 2002)
    var most = 0
    #expect(try store.verify(pack) { _ in most = max(most, DeepTree.openBelow(scratch.path)) } == [])
    #expect(most < 30)
    try store.remove("deep")
    #expect(try scratch.left() == [])
    try scratch.shell("mkdir far; mv source far/d; mv far source")
    DeepTree.make(scratch.source, depth: 3000, name: "e")
    let error = #expect(throws: PackError.self) { try scratch.create("deeper") }
    guard case .unrepresentable(let path, _) = error else { return #expect(Bool(false), "\(error!)") }
    #expect(path.count > 4096)
    #expect(try scratch.left() == [])
    try scratch.shell("rm -r source")
  }

  @Test func oneTreeIsOnePack() throws {
    try scratch.shell("mkdir -p source/d; echo a >source/d/f; cp -a source other")
    let one = try scratch.create("one")
    let two = try scratch.create("two", from: "\(scratch.path)/other")
    #expect(one.digest == two.digest && one.directory == two.directory)
    try store.remove("one")
    #expect(try store.verify(try store.pack(named: "two")) == [])
    try store.remove("two")
    #expect(try scratch.left() == [])
    #expect(try scratch.objects() == 0)
    #expect(throws: PackError.noSuchPack("two", store: store.directory)) { try store.remove("two") }
  }

  @Test func filesAreStoredOnce() throws {
    try scratch.shell(
      "mkdir source; head -c 1000000 /dev/urandom >source/large; echo a >source/a; cp -a source more; echo b >more/b")
    try scratch.create("one")
    try scratch.create("more", from: "\(scratch.path)/more")
    #expect(try scratch.objects() == 3)
    try store.remove("one")
    #expect(try scratch.objects() == 3)
    #expect(try store.verify(try store.pack(named: "more")) == [])
    // Another time, another file.
    try scratch.shell("touch -d @5 more/large")
    try scratch.create("again", from: "\(scratch.path)/more")
    #expect(try scratch.objects() == 4)
    #expect(try store.verify(try store.pack(named: "again")) == [])
    try store.remove("more")
    try store.remove("again")
    #expect(try scratch.objects() == 0)
  }

  /// A user of the host may write such beside a file of their own, which root packs.
  @Test(.needsRoot) func recordsOfOthersSayNothing() throws {
    try scratch.shell("mkdir source; echo a >source/a; chown 1000 source/a")
    let path = "\(scratch.path)/source"
    let root = try FileDescriptor.open(path, OpenFlags.directory)
    for (name, value) in [("security.capability", "caps"), ("stat", "0:0:04755:file")] {
      let name = Array("user.containers.override_\(name)\0".utf8)
      try FileCalls.setAttribute(root.raw, Array("a\0".utf8).span, name, Array(value.utf8))
    }
    for isRecorded in [false, true] {
      var walk = DirectoryWalk(
        source: DirectorySource(Array(path.utf8), patterns: try PathPatterns(), isRecorded: isRecorded), builder: nil)
      try walk.take(root.raw, progress: { _ in })
      let entry = try #require(walk.taken.first { $0.path == Array("a".utf8) })
      #expect(entry.attributes == [] && entry.uid == 1000 && entry.mode & 0o7000 == 0)
    }
  }

  /// What root's write map records of a file holds while the file is what it was then.
  @Test(.needsRoot) func brokenRecordsSayNothing() throws {
    try scratch.shell("mkdir source; for name in a b; do echo a >source/$name; chmod 1755 source/$name; done")
    let path = "\(scratch.path)/source"
    let root = try FileDescriptor.open(path, OpenFlags.directory)
    let capability = [UInt8](repeating: 1, count: 20)
    for name in ["a", "b"] {
      let name = Array("\(name)\0".utf8)
      try FileCalls.setAttribute(root.raw, name.span, MarkName.privileges, Array("0:0:04755:file".utf8))
      try FileCalls.setAttribute(root.raw, name.span, MarkName.privilegedCapability, capability)
      try FileCalls.setSeal(root.raw, name.span)
    }
    try scratch.shell("echo b >>source/b")
    var walk = DirectoryWalk(
      source: DirectorySource(Array(path.utf8), patterns: try PathPatterns(), isRecorded: false), builder: nil)
    try walk.take(root.raw, progress: { _ in })
    let entries = walk.taken.filter { $0.path.count == 1 }.sorted { $0.path[0] < $1.path[0] }
    #expect(entries.map(\.mode) == [0o4755, 0o755])
    let kept = PackEntry.Attribute(name: Array("security.capability".utf8), value: capability)
    #expect(entries.map(\.attributes) == [[kept], []])
  }

  @Test func namesAreTakenOnce() throws {
    try scratch.shell("mkdir source; echo a >source/a")
    let first = try scratch.create("name")
    #expect(throws: PackError.nameTaken("name")) { try scratch.create("name") }
    #expect(try scratch.create("name", replacing: true).digest == first.digest)
    try scratch.shell("echo b >source/a")
    let second = try scratch.create("name", replacing: true)
    #expect(second.digest != first.digest)
    #expect(try scratch.left() == ["packs/\(second.digest.hexadecimal)", "names/name"])
    for name in ["", ".", "..", "a/b", "-a", ".a", "a b", String(repeating: "a", count: 65)] {
      #expect(throws: PackError.invalidName(name)) { try scratch.create(name) }
    }
  }

  @Test func whatAMachineHasStays() throws {
    try scratch.shell("mkdir source; echo a >source/a")
    try scratch.create("name")
    try withExtendedLifetime(try store.hold("name")) {
      #expect(throws: PackError.inUse("name")) { try store.remove("name") }
      #expect(try store.verify(try store.pack(named: "name")) == [])
      try scratch.shell("echo b >source/a")
      try scratch.create("name", replacing: true)
      #expect(FileManager.default.fileExists(atPath: "\($0.pack.tree)/a"))
    }
    // Nobody has the old one any more.
    #expect(try store.list().packs.count == 1)
    #expect(try Names.list("\(store.directory)/packs").count == 1)
    #expect(try scratch.objects() == 1)
  }

  /// A pack in the place of another whose files have its content, and other times.
  @Test func whatIsReplacedLeavesNothing() throws {
    try scratch.shell("mkdir source; echo a >source/a; touch -d @1 source/a")
    try scratch.create("name")
    try scratch.shell("touch -d @2 source/a")
    let pack = try scratch.create("name", replacing: true)
    #expect(try scratch.left() == ["packs/\(pack.digest.hexadecimal)", "names/name"])
    #expect(try scratch.objects() == 1)
  }

  /// Each step at which a kill could end a command, as it would leave the store.
  @Test func leftoversAreMended() throws {
    try scratch.shell("mkdir source; echo a >source/a")
    let pack = try scratch.create("name")
    // While it is made.
    try scratch.shell("mkdir -p packs/new/1/{files,objects,pack/tree/d}; echo x >packs/new/1/files/1")
    #expect(try store.list().packs == [pack])
    #expect(try scratch.left() == ["packs/\(pack.digest.hexadecimal)", "names/name"])
    // Before the name is written.
    try scratch.shell(
      "mkdir packs/new/2; cp -a packs/packs/\(pack.digest.hexadecimal) packs/packs/\(Digest.of([]).hexadecimal)")
    #expect(try store.pack(named: "name") == pack)
    #expect(try scratch.left() == ["packs/\(pack.digest.hexadecimal)", "names/name"])
    // Halfway through the removal, with the name gone or not.
    try scratch.shell(
      "mkdir packs/gone/3; mv packs/packs/\(pack.digest.hexadecimal) packs/gone/3/pack; rm packs/names/name")
    #expect(try store.list().packs == [])
    #expect(try scratch.left() == [])
    #expect(try scratch.objects() == 0)
    // After the pool took its files in, before it was moved to its place.
    let dead = try scratch.create("dead")
    let digest = dead.digest.hexadecimal
    try scratch.shell(
      """
      mkdir -p packs/new/4/objects; mv packs/packs/\(digest) packs/new/4/pack; rm packs/names/dead
      ln packs/objects/*/* packs/new/4/objects/
      """)
    #expect(try store.list().packs == [])
    #expect(try scratch.left() == [])
    #expect(try scratch.objects() == 0)
    // After it was moved there: what lists its files and what links to them are two.
    let placed = try scratch.create("placed")
    try scratch.shell("mkdir -p packs/new/5/objects; rm packs/names/placed; ln packs/objects/*/* packs/new/5/objects/")
    #expect(try store.list().packs == [])
    #expect(try scratch.left() == [], "\(placed.digest)")
    #expect(try scratch.objects() == 0)
    // One that is being made is left alone.
    _ = try store.create("busy", origin: "") { (builder) throws(PackError) in
      store.mend()
      try DirectorySource(Array(scratch.source.utf8), patterns: try PathPatterns()).read(into: builder)
      store.mend()
    }
    #expect(try store.verify(try store.pack(named: "busy")) == [])
  }

  /// Half of a file or of a directory does not pass for the whole.
  @Test func whatOverlayfsHasElsewhereIsRefused() throws {
    try scratch.shell("mkdir -p source/d; echo content >source/file")
    for (name, mark) in [("file", "metacopy"), ("d", "redirect")] {
      try scratch.shell("python3 -c 'import os; os.setxattr(\"source/\(name)\", \"user.overlay.\(mark)\", b\"/x\")'")
      let error = #expect(throws: PackError.self) { try scratch.create("half") }
      guard case .unrepresentable(Array("\(scratch.source)/\(name)".utf8), _) = error else {
        return #expect(error == nil)
      }
      try scratch.shell("python3 -c 'import os; os.removexattr(\"source/\(name)\", \"user.overlay.\(mark)\")'")
    }
    #expect(try store.list().packs == [])
    try scratch.create("whole")
  }

  @Test func changesAreFound() throws {
    try scratch.shell("mkdir -p source/d; echo a >source/d/a; echo b >source/b; echo c >source/c; chmod 4755 source/c")
    let pack = try scratch.create("name")
    let good = try scratch.create("good")
    try scratch.shell("cd packs/packs/*/tree; echo A >d/a; rm b; touch -d @9 c; mkdir d/new")
    let faults = try store.verify(pack)
    #expect(
      faults.map { "\(String(printable: $0.path)) \($0.kind)" } == [
        " metadata", "b missing", "c metadata", "d metadata", "d/a content", "d/new unexpected",
      ])
    #expect(good.digest == pack.digest)
    try scratch.shell("echo x >>packs/packs/*/manifest")
    #expect(throws: PackError.self) { try store.verify(pack) }
    try store.remove("name")
    try store.remove("good")
    #expect(try scratch.left() == [])
  }

  @Test func manyAtOnce() async throws {
    try scratch.shell("mkdir source; for i in {1..50}; do echo $i >source/$i; done")
    let store = self.store
    let source = Array(scratch.source.utf8)
    await withTaskGroup(of: Void.self) { group in
      for index in 0..<16 {
        group.addTask {
          for round in 0..<4 {
            _ = try? store.create("name\(index % 3)", origin: "", replacing: true) { (builder) throws(PackError) in
              let exclude = [Array(String(1 + (index * 4 + round) % 50).utf8)]
              try DirectorySource(source, patterns: try PathPatterns(exclude: exclude)).read(into: builder)
            }
            try? store.remove("name\((index + round) % 3)")
            _ = try? store.list()
          }
        }
      }
    }
    for pack in try store.list().packs {
      #expect(try store.verify(pack) == [])
      try store.remove(pack.name)
    }
    store.mend()
    #expect(try scratch.left() == [])
    #expect(try scratch.objects() == 0)
  }
}
