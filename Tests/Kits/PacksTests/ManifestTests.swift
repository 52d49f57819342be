import Host
import Testing

@testable import Packs

struct ManifestTests {
  private static let digest = Digest.of([])

  private func file(_ path: String, size: UInt64 = 0) -> PackEntry {
    PackEntry(path: Array(path.utf8), kind: .file(size: size, digest: Self.digest), mode: 0o644)
  }

  private func directory(_ path: String) -> PackEntry {
    PackEntry(path: Array(path.utf8), kind: .directory(isOpaque: false), mode: 0o755)
  }

  @Test func everyKindSurvives() throws {
    var odd = file("odd")
    odd.path = [0x6f, 0xff, 0x20, 0x0a, 0x5c, 0x7f]
    odd.modified = FileTime(seconds: -5, nanoseconds: 42)
    odd.attributes = [
      .init(name: Array("security.capability".utf8), value: [0, 0x20, 0xff]), .init(name: [0x75], value: []),
    ]
    let manifest = Manifest(sorting: [
      odd, directory("d"),
      PackEntry(path: Array("d/opaque".utf8), kind: .directory(isOpaque: true), mode: 0o1777, uid: 1, gid: .max - 1),
      PackEntry(path: Array("d/s".utf8), kind: .symlink(target: Array("../x y".utf8)), mode: 0o777),
      PackEntry(path: Array("d/p".utf8), kind: .fifo, mode: 0o600),
      PackEntry(path: Array("d/c".utf8), kind: .device(isBlock: false, major: 1, minor: 3), mode: 0o666),
      PackEntry(path: Array("d/b".utf8), kind: .device(isBlock: true, major: 8, minor: 1 << 19)),
      PackEntry(path: Array("d/w".utf8), kind: .whiteout),
      file("d/f", size: 1 << 40), PackEntry(path: Array("d/h".utf8), kind: .link(to: Array("d/f".utf8))),
    ])
    #expect(Manifest(decoding: manifest.encoded) == manifest)
    #expect(manifest.entries.count == 11)
    #expect(manifest.size == 1 << 40)
  }

  /// The same tree has the same manifest, whatever order it was found in.
  @Test func orderDoesNotMatter() {
    let entries = [directory("a"), file("a/z"), file("a.b"), file("a/a/b"), directory("a/a"), file("a-")]
    let manifest = Manifest(sorting: entries)
    #expect(Manifest(sorting: entries.reversed()) == manifest)
    // What is in a directory comes before names that only begin like it.
    #expect(
      manifest.entries.map { String(decoding: $0.path, as: UTF8.self) } == [
        "", "a", "a/a", "a/a/b", "a/z", "a-", "a.b",
      ])
  }

  @Test func theFirstNameIsTheFile() {
    let links = ["b", "a", "d"].map { PackEntry(path: Array($0.utf8), kind: .link(to: Array("c".utf8))) }
    let manifest = Manifest(sorting: links + [file("c", size: 7)])
    #expect(manifest.entries[1] == file("a", size: 7))
    for entry in manifest.entries[2...] { #expect(entry.kind == .link(to: Array("a".utf8))) }
    #expect(manifest.entries.count == 5)
    #expect(Manifest(decoding: manifest.encoded) == manifest)
    #expect(manifest.size == 7)
  }

  /// One tree has one manifest: what would read the same but is written otherwise is none.
  @Test func whatIsNoManifest() throws {
    let top = "novm-pack 1\nd 755 0 0 0 \\e\n"
    #expect(Manifest(decoding: Array(top.utf8)) != nil)
    let empty = Self.digest.hexadecimal
    for text in [
      "", "novm-pack 1\n", "novm-pack 2\nd 755 0 0 0 \\e\n", "novm-pack 1\nd 755 0 0 0 \\e",
      "novm-pack 1\nd 755 0 0 0 a\n",
      "novm-pack 1\nf 755 0 0 0 0 \(empty) \\e\n", top + "d 755 0 0 0 \\e\n", top + "d 0755 0 0 0 a\n",
      top + "d 755 0 0 0 ../a\n", top + "d 755 0 0 0 a/b\n", top + "d 755 0 0 0 .\n", top + "d 755 0 0 0 /a\n",
      top + "d 755 0 0 0 b\nd 755 0 0 0 a\n", top + "d 755 0 0 0 a\nd 755 0 0 0 a\n", top + "d 10000 0 0 0 a\n",
      top + "d 755 4294967296 0 0 a\n", top + "d 755 0 0 0.5 a\n", top + "d 755 0 0 -0 a\n", top + "d 755 0 0 0 a \n",
      top + "d 755 0 0 0 \\x61\n", top + "d 755 0 0 0 \\X20\n", top + "d 755 0 0 0 \\x2\n", top + "h a b\n",
      top + "f 644 0 0 0 0 \(empty) a\nw a/b\n", top + "s 777 0 0 0 \\e a\n", top + "f 644 0 0 0 0 abc a\n",
      top + "f 644 0 0 0 99999999999999999999 \(empty) a\n", "novm-pack 1\nx user.a b\n" + "d 755 0 0 0 \\e\n",
      top + "x b 1\nx a 2\n", top + "x a\n", top + "q 755 0 0 0 a\n", top + "\n", top + "d 755 0 0 0 a\\x00\n",
    ] { #expect(Manifest(decoding: Array(text.utf8)) == nil, "\(text)") }
  }
}
