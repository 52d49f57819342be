import Foundation
import Host
import Testing

@testable import Packs

struct ArchiveSourceTests {
  private let scratch: PackScratch

  init() throws { scratch = try PackScratch() }

  /// Writes an archive of entries, so many times with `i` counting, each the arguments of `add`: a name, its data, and fields of Python's TarInfo.
  private func tar(_ entries: [String], repeated count: Int = 1, then: String = "") throws {
    let script = """
      import io, tarfile
      tar = tarfile.open('a.tar', 'w', format=tarfile.PAX_FORMAT)
      DIR, SYM, LNK, CHR, FIFO = b'5', b'2', b'1', b'3', b'6'
      def add(name, data=b'', type=b'0', **fields):
          info = tarfile.TarInfo(name)
          info.type, info.size = type, len(data)
          for field, value in fields.items(): setattr(info, field, value)
          tar.addfile(info, io.BytesIO(data))
      for i in range(\(count)):
          \(entries.map { "add(\($0))" }.joined(separator: "\n    "))
      tar.close()
      \(then)
      """
    try Data(script.utf8).write(to: URL(fileURLWithPath: "\(scratch.path)/make.py"))
    try scratch.shell("python3 make.py")
  }

  @discardableResult
  private func read(
    _ file: String = "a.tar", name: String = "pack", limits: PackLimits? = nil, include: [String] = [],
    exclude: [String] = [], digest: Digest? = nil
  ) throws -> [String: PackEntry] {
    let patterns = try PathPatterns(include: include.map { Array($0.utf8) }, exclude: exclude.map { Array($0.utf8) })
    let archive = try FileDescriptor.open("\(scratch.path)/\(file)", 0)
    let source = ArchiveSource(Array(file.utf8), patterns: patterns, digest: digest)
    let number = archive.raw
    let pack = try scratch.store.create(name, origin: "test", replacing: true, limits: limits) {
      (builder) throws(PackError) in try source.read(number, into: builder)
    }
    _ = archive.raw
    #expect(try scratch.store.verify(pack) == [])
    return Dictionary(
      uniqueKeysWithValues: try scratch.store.manifest(of: pack).entries.map {
        (String(decoding: $0.path, as: UTF8.self), $0)
      })
  }

  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  private func file(_ text: String) -> PackEntry.Kind {
    .file(size: UInt64(text.utf8.count), digest: Digest.of(bytes(text)))
  }

  @Test func ordinaryEntries() throws {
    try tar([
      "'./', type=DIR, mode=0o700, uid=3", "'./d/f', b'hello', mode=0o4711, uid=7, gid=8, mtime=99",
      "'d', type=DIR, mode=0o750",
      "'d//l', type=LNK, linkname='./d/f'", "'s', type=SYM, linkname='/../x'", "'c', type=CHR, devmajor=5, devminor=1",
      "'p', type=FIFO", "'d/f2', b'one'", "'d/f2', b'two'", "'e\\u0301', b''",
      "'x', b'', pax_headers={'SCHILY.xattr.user.a': 'b', 'SCHILY.xattr.user.containers.override_stat': '0:0:04755:file', "
        + "'SCHILY.xattr.trusted.overlay.redirect': '/x', 'SCHILY.xattr.system.x': 'y'}",
    ])
    let entries = try read()
    #expect(entries[""]?.mode == 0o700 && entries[""]?.uid == 3)
    let expected = PackEntry(
      path: bytes("d/f"), kind: file("hello"), mode: 0o4711, uid: 7, gid: 8,
      modified: FileTime(seconds: 99, nanoseconds: 0))
    #expect(entries["d/f"] == expected)
    #expect(entries["d"]?.mode == 0o750)
    #expect(entries["d/l"]?.kind == .link(to: bytes("d/f")))
    #expect(entries["s"]?.kind == .symlink(target: bytes("/../x")))
    #expect(entries["c"]?.kind == .device(isBlock: false, major: 5, minor: 1))
    #expect(entries["p"]?.kind == .fifo)
    #expect(entries["d/f2"]?.kind == file("two"))
    #expect(entries["e\u{301}"] != nil)
    #expect(entries["x"]?.attributes == [.init(name: bytes("user.a"), value: bytes("b"))])
  }

  /// Both forms of what a layer removes.
  @Test func whiteouts() throws {
    try tar([
      "'a/.wh.gone'", "'b/.wh..wh..opq'", "'b/new'", "'c', type=CHR", "'.wh..wh.plnk', type=DIR", "'d/x'", "'.wh.d'",
      "'e', type=DIR, pax_headers={'SCHILY.xattr.trusted.overlay.opaque': 'y'}", "'.wh.f'", "'f/x'", "'g', b'1'",
      "'.wh.g'",
    ])
    let entries = try read()
    #expect(entries["a/gone"]?.kind == .whiteout && entries["c"]?.kind == .whiteout)
    for path in ["b", "d", "e", "f"] { #expect(entries[path]?.kind == .directory(isOpaque: true), "\(path)") }
    #expect(entries["g"]?.kind == file("1"))
    #expect(entries.keys.sorted() == ["", "a", "a/gone", "b", "b/new", "c", "d", "d/x", "e", "f", "f/x", "g"])
  }

  /// A file that is replaced or left out goes on under its other names.
  @Test func otherNames() throws {
    try tar([
      "'a', b'1'", "'b', type=LNK, linkname='a'", "'c', type=LNK, linkname='b'", "'a', b'2'",
      "'d', type=LNK, linkname='c'",
      "'a', type=LNK, linkname='a'",
    ])
    let entries = try read()
    #expect(entries["a"]?.kind == file("2") && entries["b"]?.kind == file("1"))
    #expect(entries["c"]?.kind == .link(to: bytes("b")) && entries["d"]?.kind == .link(to: bytes("b")))
    let some = try read(exclude: ["b", "a"])
    #expect(some["c"]?.kind == file("1") && some["d"]?.kind == .link(to: bytes("c")))
    #expect(some.count == 3)
  }

  @Test func patterns() throws {
    try tar(["'usr/bin/a'", "'usr/lib/b.o'", "'usr/lib/c'", "'etc', type=DIR", "'var/x/y'"])
    #expect(
      try read(include: ["/usr"], exclude: ["*.o"]).keys.sorted() == [
        "", "usr", "usr/bin", "usr/bin/a", "usr/lib", "usr/lib/c",
      ])
    #expect(try read(include: ["y"]).keys.sorted() == ["", "var", "var/x", "var/x/y"])
  }

  private func expectRefusal(_ entries: [String], of path: String, _ fault: EntryFault) throws {
    try tar(entries)
    #expect(throws: PackError.entry(archive: bytes("a.tar"), path: bytes(path), fault)) { try read() }
  }

  @Test func whatClimbsOutIsRefused() throws {
    let before = try FileManager.default.subpathsOfDirectory(atPath: scratch.path).count
    try expectRefusal(["'/etc/x'"], of: "/etc/x", .absolute)
    try expectRefusal(["'../x'"], of: "../x", .climbs)
    try expectRefusal(["'a/../../x'"], of: "a/../../x", .climbs)
    try expectRefusal(["'a/..', type=DIR"], of: "a/../", .climbs)
    try expectRefusal(["'a', type=SYM, linkname='/tmp'", "'a/x'"], of: "a/x", .beneath(bytes("a")))
    try expectRefusal(["'a', type=SYM, linkname='.'", "'a/b/c'"], of: "a/b/c", .beneath(bytes("a")))
    try expectRefusal(["'a', b'1'", "'a/x'"], of: "a/x", .beneath(bytes("a")))
    try expectRefusal(["'a', type=LNK, linkname='/etc/passwd'"], of: "a", .absolute)
    try expectRefusal(["'a', type=LNK, linkname='../x'"], of: "a", .climbs)
    try expectRefusal(["'a', type=LNK, linkname='b'"], of: "a", .linkTarget(bytes("b")))
    try expectRefusal(["'d', type=DIR", "'a', type=LNK, linkname='d'"], of: "a", .linkTarget(bytes("d")))
    try expectRefusal(
      ["'s', type=SYM, linkname='/etc'", "'a', type=LNK, linkname='s/passwd'"], of: "a", .linkTarget(bytes("s/passwd")))
    try expectRefusal(["'a', type=DIR", "'a'"], of: "a", .replaces)
    try expectRefusal(["'a'", "'a', type=DIR"], of: "a/", .replaces)
    try expectRefusal(["'.', type=SYM, linkname='/'"], of: ".", .replaces)
    try expectRefusal(["'.wh..'"], of: ".wh..", .badName)
    try expectRefusal(["'d/.wh...'"], of: "d/.wh...", .badName)
    try expectRefusal(["'.wh.'"], of: ".wh.", .badName)
    let long = String(repeating: "n", count: 256)
    try expectRefusal(["'n' * 256"], of: long, .badName)
    try expectRefusal(["'a/' * 300 + 'b'"], of: String(repeating: "a/", count: 300) + "b", .badName)
    #expect(try scratch.left() == [])
    #expect(try scratch.objects() == 0)
    // The archive, what made it, and the store's own six.
    #expect(try FileManager.default.subpathsOfDirectory(atPath: scratch.path).count == before + 2 + 7)
  }

  @Test func whatIsTooMuchIsRefused() throws {
    try tar(["'a', b'x' * 1000", "'b', b'x' * 1000"])
    let limit = PackLimits(entries: 100, bytes: 1500)
    #expect(throws: PackError.limit(source: bytes("a.tar"), path: bytes("b"), .bytes(1500))) { try read(limits: limit) }
    try tar((0..<10).map { "'\($0)'" })
    #expect(throws: PackError.limit(source: bytes("a.tar"), path: bytes("6"), .entries(7))) {
      try read(limits: PackLimits(entries: 7, bytes: 1500))
    }
    // A header that claims more than any disk has.
    try scratch.shell(
      """
      python3 - <<'END'
      import tarfile
      info = tarfile.TarInfo('huge')
      info.size = 1 << 62
      open('a.tar', 'wb').write(info.tobuf(tarfile.GNU_FORMAT) + b'x' * 1024)
      END
      """)
    do {
      try read()
      Issue.record("taken")
    } catch let error as PackError {
      guard case .limit(_, bytes("huge"), .bytes) = error else { throw error }
    }
    // A gigabyte in a megabyte.
    try scratch.shell("mkdir big; truncate -s 1G big/bomb; tar c big | gzip -1 >a.tar; rm -r big")
    #expect(throws: PackError.limit(source: bytes("a.tar"), path: bytes("big/bomb"), .bytes(1 << 20))) {
      try read(limits: PackLimits(entries: 100, bytes: 1 << 20))
    }
    // Behind its end, where nobody takes it; and as what only helps a tool.
    try scratch.shell("mkdir small; tar c small >a; truncate -s 80M a; mv a a.tar; rm -r small")
    #expect(throws: PackError.limit(source: bytes("a.tar"), path: [], .trailing(64 << 20))) {
      try read(limits: PackLimits(entries: 100, bytes: 1 << 20))
    }
    try scratch.shell(
      "for i in 1 2 3; do truncate -s 600K .wh..wh.$i; done; tar c .wh..wh.? | gzip -1 >a.tar; rm .wh..wh.?")
    #expect(throws: PackError.limit(source: bytes("a.tar"), path: bytes(".wh..wh.2"), .bytes(1 << 20))) {
      try read(limits: PackLimits(entries: 100, bytes: 1 << 20))
    }
    #expect(try scratch.left() == [])
  }

  /// Each replacement of a file with many names looks at them all.
  @Test func namesOfReplacedFilesAreBounded() throws {
    try scratch.shell(
      """
      python3 - <<'END'
      import tarfile
      with tarfile.open('a.tar', 'w', format=tarfile.GNU_FORMAT) as made:
          def add(name, kind=tarfile.REGTYPE, target=''):
              info = tarfile.TarInfo(name)
              info.type, info.linkname = kind, target
              made.addfile(info)
          add('f')
          for i in range(20000): add('l%d' % i, tarfile.LNKTYPE, 'f')
          for i in range(20000): add('l%d' % i)
      END
      """)
    do {
      try read(limits: PackLimits(entries: 1 << 20, bytes: 1 << 20))
      Issue.record("taken")
    } catch let error as PackError {
      guard case .limit(_, _, .entries) = error else { throw error }
    }
  }

  @Test func attributesAndNamesAreBoundedInAll() throws {
    // As much for each entry as Linux allows, or attributes of hardly a byte, which take more to hold than they have.
    let large = "'%d' % i, pax_headers={'SCHILY.xattr.user.a': 'x' * 60000}"
    let small = "'%d' % i, pax_headers={'SCHILY.xattr.user.%d' % n: '' for n in range(800)}"
    var limits = PackLimits(entries: 100_000, bytes: 1 << 20)
    limits.totalAttributeBytes = 1 << 20
    for entry in [large, small] {
      try tar([entry], repeated: 24)
      do {
        try read(limits: limits)
        Issue.record("taken: \(entry)")
      } catch let error as PackError {
        guard case .limit(_, _, .totalAttributes(1 << 20)) = error else { throw error }
      }
    }
    limits.totalNameBytes = 20_000
    // Of paths with all that leads to them, of link targets, and as the manifest has them.
    for (entry, count) in [
      ("'%d/' % i + 'd/' * 100 + 'f'", 3), ("'%d' % i, type=SYM, linkname='x' * 4000", 6),
      ("'\\x01' * 250 + '%d' % i", 21),
    ] {
      try tar([entry], repeated: count)
      do {
        try read(limits: limits)
        Issue.record("taken: \(entry)")
      } catch let error as PackError {
        guard case .limit(_, _, .totalNames(20_000)) = error else { throw error }
      }
    }
    // What is replaced no longer counts.
    try tar(["'a', type=SYM, linkname='x' * 4000"], repeated: 50)
    #expect(try read(limits: limits)["a"]?.kind == .symlink(target: [UInt8](repeating: UInt8(ascii: "x"), count: 4000)))
  }

  @Test func imagesAreNoTrees() throws {
    for entries in [
      ["'manifest.json', b'[]'", "'0123abcd/layer.tar', b'x'", "'0123abcd/json', b'{}'"],
      ["'oci-layout', b'{}'", "'index.json', b'{}'", "'blobs/sha256/0123', b'x'"],
    ] {
      try tar(entries)
      #expect(throws: PackError.image(path: bytes("a.tar"))) { try read() }
    }
    // A web page may have such files of its own.
    try tar(["'manifest.json', b'{}'", "'index.json', b'{}'"])
    #expect(try read().count == 3)
  }

  @Test func whatIsDamagedIsRefused() throws {
    try scratch.shell("mkdir d; head -c 300000 /dev/urandom >d/f; tar cf good.tar d; gzip -k good.tar")
    for make in [
      "head -c 100000 good.tar", "head -c 100000 good.tar.gz", "echo hello", "true", "head -c 100000 /dev/urandom",
      "sed '1s/ustar/usTAr/; 1s/d/e/' good.tar",
    ] {
      try scratch.shell("\(make) >bad.tar")
      do {
        try read("bad.tar")
        Issue.record("taken: \(make)")
      } catch let error as PackError {
        guard case .archive = error else { throw error }
      }
    }
    #expect(try scratch.left() == [])
  }

  @Test func digests() throws {
    try scratch.shell("mkdir d; echo a >d/a; tar cf a.tar d; printf trailer >>a.tar")
    let contents = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(scratch.path)/a.tar")))
    let right = Digest.of(contents)
    let wrong = Digest.of([])
    #expect(throws: PackError.digest(path: bytes("a.tar"), expected: wrong, actual: right)) { try read(digest: wrong) }
    #expect(try scratch.left() == [])
    #expect(try read(digest: right).keys.contains("d/a"))
  }
}
