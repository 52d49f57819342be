import Foundation
import Testing

struct PackCommandTests {
  private let novm: NovmProgram

  init() throws { novm = try NovmProgram() }

  @Test func aPacksLife() throws {
    try novm.write("source/bin/hello", "hello\n")
    let source = "\(novm.directory)/source"
    let archive = "\(novm.directory)/tools.tar.zst"
    let created = try novm.run("pack", "create", "tools", source)
    #expect(created.status == 0 && created.output.hasPrefix("sha256:") && created.errors == "")
    #expect(try novm.run("pack", "export", "tools", archive).status == 0)
    let imported = try novm.run("getpack", archive, "other", "--json")
    let report = try #require(try JSONSerialization.jsonObject(with: Data(imported.output.utf8)) as? [String: Any])
    #expect(report["digest"] as? String == created.output.trimmingCharacters(in: .newlines))
    #expect(report["origin"] as? String == archive)
    #expect(try FileManager.default.contentsOfDirectory(atPath: novm.directory).allSatisfy { !$0.hasSuffix(".new") })
    let again = try novm.run("pack", "create", "again", archive)
    #expect(again.output == created.output && again.errors == "")
    #expect(try novm.run("pack", "rm", "again").status == 0)
    #expect(try novm.run("pack", "ls", "--quiet").output == "other\ntools\n")
    #expect(try novm.run("packs", "--json").output.contains("\"files\" : 3"))
    #expect(try novm.run("pack", "inspect", "--files", "tools").output.hasPrefix("novm-pack 1\nd 755 "))
    #expect(try novm.run("pack", "verify").output == "other: as made\ntools: as made\n")
    try novm.write("store/packs/packs/\(created.output.dropFirst(7).dropLast())/tree/bin/hello", "HELLO\n")
    let verified = try novm.run("pack", "verify", "tools")
    #expect(verified.status == 1 && verified.output.contains("tools: bin/hello: "))
    expectFailure(try novm.run("rmpack", "tools", "nothing", "other"), naming: "nothing")
    #expect(try novm.run("pack", "ls", "--json").output == "[\n\n]\n")
  }

  @Test func whatIsWrong() throws {
    let text = try novm.write("text", "hello\n")
    expectFailure(try novm.run("pack", "create", "a/b", novm.directory), naming: "a/b")
    expectFailure(try novm.run("pack", "create", "x", "\(novm.directory)/none"), naming: "none", "No such file")
    expectFailure(try novm.run("pack", "create", "x", text), naming: text, "is no tar archive")
    expectFailure(try novm.run("pack", "create", "--include", "[", "x", novm.directory), naming: "'['")
    expectFailure(try novm.run("pack", "create", "--owner", "root", "x", novm.directory), naming: "--owner", "0:0")
    expectFailure(try novm.run("pack", "import", text), naming: text, "is no tar archive")
    expectFailure(try novm.run("pack", "import", "--digest", "abc", text), naming: "--digest")
    try novm.write("large/file", String(repeating: "x", count: 2 << 20))
    let large = "\(novm.directory)/large.tar.gz"
    #expect(try novm.run("pack", "create", "large", "\(novm.directory)/large").status == 0)
    #expect(try novm.run("pack", "export", "large", large).status == 0)
    expectFailure(try novm.run("pack", "import", "--max-size", "1M", large, "again"), naming: large, "file")
    expectFailure(try novm.run("pack", "import", "--max-size", "much", large), naming: "--max-size: 'much'")
    #expect(try novm.run("pack", "import", "--max-size", "2M", large, "again").status == 0)
    expectFailure(try novm.run("pack", "import", "-"), naming: "novm pack import - NAME")
    expectFailure(try novm.run("pack", "import", "http://127.0.0.1:1/x.tar"), naming: "--digest")
    for command in ["inspect", "rm", "verify"] {
      expectFailure(try novm.run("pack", command, "nothing"), naming: "nothing", "novm pack ls")
    }
    expectFailure(try novm.run("pack", "export", "nothing", text), naming: "nothing", "novm pack ls")
    #expect(try novm.run("pack", "create", "here", "\(novm.directory)/store").status == 0)
    let other = try novm.run("pack", "export", "here", "\(novm.directory)/x.tar.xz")
    expectFailure(other, naming: "x.tar.xz", "--compress")
    expectFailure(try novm.run("run", "--pack", "../x", "--", "true"), naming: "--pack", "../x")
    #expect(try String(contentsOfFile: text, encoding: .utf8) == "hello\n")
  }
}
