import Foundation
import HostTesting
import Testing

/// `novm push` to a registry that may do anything.
@Suite(.timeLimit(.minutes(5)))
struct PushCommandTests {
  private let novm: NovmProgram
  private let registry: HostileRegistry

  init() throws {
    novm = try NovmProgram()
    registry = try HostileRegistry()
    try novm.linkNofetch()
    #expect(try novm.run("pull", registry.name("good")).status == 0)
  }

  private func push(_ repository: String, _ image: String? = nil, _ options: String...) throws -> NovmProgram.Result {
    try novm.run(["push"] + options + [image ?? registry.name("good"), registry.name(repository)])
  }

  private func methods(_ part: String) -> [String] {
    registry.log.filter { $0[1].contains(part) }.map { "\($0[0]) \($0[1].split(separator: "/").last?.prefix(8) ?? "")" }
  }

  /// What the registry gave it takes back as it was, by the same digest.
  @Test func mounts() throws {
    let result = try push("push-mounts", nil, "--quiet")
    #expect(result.status == 0 && result.errors == "", "\(result)")
    #expect(
      registry.log.filter { $0[0] == "POST" && $0[1].contains("mount=") && $0[1].contains("from=good") }.count == 2)
    // The configuration alone is sent.
    #expect(registry.log.filter { $0[0] == "PATCH" }.count == 1)
    #expect(registry.log.last?[1] == "/v2/push-mounts/manifests/1")
    // Again: everything is there.
    let before = registry.log.count
    #expect(try push("push-mounts").status == 0)
    #expect(registry.log.dropFirst(before).map { $0[0] } == ["HEAD", "HEAD", "HEAD", "PUT"])
  }

  @Test(arguments: ["gzip", "zstd", "none"])
  func pieces(compression: String) throws {
    let result = try push("push-good", nil, "--compress", compression)
    #expect(result.status == 0 && result.output.hasPrefix(registry.name("push-good") + "@sha256:"), "\(result)")
    #expect(result.errors.split(separator: "\n").count == 2)
    #expect(registry.log.filter { $0[0] == "PATCH" && $0[1].contains("/push-good/") }.count == 3)
  }

  /// What a connection was cut in the middle of goes on there.
  @Test func cuts() throws {
    #expect(try push("push-cut").status == 0)
    #expect(methods("/push-cut/").contains("GET 1?state="))
    // One that says it has less is asked, and believed.
    #expect(try push("push-short").status == 0)
  }

  /// What one registry says of itself is no field of another's request.
  @Test func typesThatAreNone() throws {
    #expect(try novm.run("pull", registry.name("typed")).status == 0)
    let result = try push("push-mounts", registry.name("typed"))
    #expect(result.status == 0, "\(result)")
  }

  /// A registry that takes it, and does not come to say so.
  @Test(arguments: ["push-closes", "push-late"])
  func answersThatAreLost(repository: String) throws {
    let result = try push(repository)
    #expect(result.status == 0, "\(result)")
    #expect(registry.log.filter { $0[0] == "PATCH" && $0[1].contains("/\(repository)/") }.count == 3)
  }

  @Test func tokens() throws {
    #expect(try push("push-token").status == 0)
    let scopes = registry.log.filter { $0[1].hasPrefix("/token") && $0[1].contains("push-token") }
    #expect(scopes.contains { $0[1].contains("%3Apull%2Cpush") && $0[1].contains("repository%3Agood%3Apull") })
  }

  @Test(arguments: [
    ("push-refused", "refused"), ("push-nowhere", "where to send"), ("push-file", "to no address"),
    ("push-lines", "to no address"), ("push-user", "sent to me@"),
    ("push-long", "another part"), ("push-little", "again and again"), ("push-busy", "503"),
    ("push-gone", "503"), ("push-back", "503"),
    ("push-unknown", "status 404 (words of NAME_UNKNOWN"), ("push-lies", "another manifest"),
  ])
  func refusals(repository: String, text: String) throws {
    let result = try push(repository)
    let last = result.errors.split(separator: "\n").last.map(String.init) ?? ""
    #expect(result.status == 125 && result.output == "" && last.contains(text), "\(repository): \(result)")
    #expect(!result.errors.contains("\u{1B}"))
  }

  @Test func names() throws {
    expectFailure(try novm.run("push", "nosuch:1"), naming: "no image nosuch:1")
    let id = String(try novm.run("images", "--quiet").output.dropLast())
    expectFailure(try novm.run("push", id), naming: "novm push IMAGE REGISTRY/PATH:TAG")
    expectFailure(try push("x", "nosuch:1"), naming: "no image nosuch:1")
    // A mirror is for reading, where the registry itself is none, too.
    try novm.write(
      ".config/containers/registries.conf",
      "[[registry]]\nprefix = 'example.org'\nlocation = 'nowhere'\n[[registry.mirror]]\nlocation = '127.0.0.1:\(registry.port)'\n"
    )
    expectFailure(
      try novm.run("push", registry.name("good"), "example.org/push-good:1"), naming: "'nowhere' is no registry")
  }
}
