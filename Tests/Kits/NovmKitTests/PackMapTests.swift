import KernelBundle
import Testing

@testable import NovmKit

struct PackMapTests {
  private func parse(_ text: String) throws -> PackMap { try PackMap(parsing: Array(text.utf8)) }

  @Test func names() throws {
    #expect(try parse("tools") == PackMap(name: "tools", guest: Array("/".utf8)))
    #expect(try parse("a:1.2=>/opt//x/.") == PackMap(name: "a:1.2", guest: Array("/opt/x".utf8)))
    for text in ["", "=>/x", "a/b", "../x=>/y", ".x"] {
      #expect(throws: NovmError.packMap(Array(text.utf8))) { try parse(text) }
    }
    #expect(throws: NovmError.treeMap(Array("x=>/".utf8), .relativeGuestPath)) { try parse("tools=>x") }
    #expect(throws: NovmError.treeMap(Array("/a/../b=>/".utf8), .guestPathClimbs)) { try parse("tools=>/a/../b") }
  }

  /// Packs lie above what is read, below the kernel's modules; one for / is there in place of the host's.
  @Test func layers() throws {
    var request = MachineRequest()
    request.packs = [PackMap(name: "tools", guest: Array("/opt".utf8))]
    let kernel = KernelFiles(name: "k", release: "6.1", image: "/vmlinux", modules: "/mods")
    func reads() -> [String] {
      request.compose(kernel: kernel, scratch: "/scratch", packs: ["/packs/1", "/packs/2"]).arguments.map {
        String(decoding: $0, as: UTF8.self)
      }.split(separator: "--tag")[1].dropFirst().joined(separator: " ").components(before: " --write")
    }
    #expect(reads() == ["--read", "/=>/", "--pack", "/opt=>/packs/1", "--read", reads()[5]])
    request.packs.append(PackMap(name: "root", guest: Array("/".utf8)))
    #expect(reads().prefix(4) == ["--pack", "/opt=>/packs/1", "--pack", "/=>/packs/2"])
  }
}

extension String {
  fileprivate func components(before end: String) -> [String] {
    (range(of: end).map { String(self[..<$0.lowerBound]) } ?? self).split(separator: " ").map(String.init)
  }

  private func range(of text: String) -> Range<String.Index>? { firstRange(of: text) }
}
