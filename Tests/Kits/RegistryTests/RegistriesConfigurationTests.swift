import Images
import Testing

@testable import Registry

struct RegistriesConfigurationTests {
  private func configuration(_ text: String) throws -> RegistriesConfiguration {
    var result = RegistriesConfiguration()
    result.add(try #require(TOML(Array(text.utf8))))
    return result
  }

  private func sources(_ name: String, _ text: String) throws -> [String] {
    try configuration(text).sources(of: try #require(ImageReference(name)))
      .map { "\($0.host)/\($0.repository)\($0.isInsecure ? " insecure" : "")" }
  }

  @Test func mirrors() throws {
    let text = """
      # a comment
      unqualified-search-registries = ["quay.io",
        'docker.io', # another
      ]
      [[registry]]
      prefix = "docker.io"
      location = "docker.io"
      [[registry.mirror]]
      location = "mirror.example.org:5000/hub"
      insecure = true
      [[registry.mirror]]
      location = "digests.example.org"
      pull-from-mirror = "digest-only"

      [[registry]]
      prefix = "docker.io/team"
      location = "team.example.org/images"
      [[registry]]
      location = "bad.example.org"
      blocked = true
      [[registry]]
      prefix = "*.lan"
      insecure = true
      """
    #expect(
      try sources("debian", text) == [
        "mirror.example.org:5000/hub/library/debian insecure", "docker.io/library/debian",
      ])
    let digest = "@sha256:" + String(repeating: "0", count: 64)
    #expect(try sources("debian\(digest)", text).count == 3)
    #expect(try sources("team/app", text) == ["team.example.org/images/app"])
    #expect(try sources("teams/app", text).last == "docker.io/teams/app")
    #expect(try sources("a.lan/b/c", text) == ["a.lan/b/c insecure"])
    #expect(try sources("a.lan:5000/b/c", text) == ["a.lan:5000/b/c insecure"])
    #expect(try sources("a.lan.org/b", text) == ["a.lan.org/b"])
    #expect(throws: RegistryError.blocked("bad.example.org")) { try sources("bad.example.org/x", text) }
    #expect(try configuration(text).searched == ["quay.io", "docker.io"])
  }

  @Test func destinations() throws {
    let text = """
      [[registry]]
      prefix = "a.org"
      location = "b.org/x"
      insecure = true
      mirror = [{ location = "m.org" }]
      [[registry]]
      prefix = "c.org"
      location = "nowhere"
      mirror = [{ location = "m.org" }]
      """
    func destination(_ name: String) throws -> String {
      let source = try configuration(text).destination(of: try #require(ImageReference(name)))
      return "\(source.host)/\(source.repository)\(source.isInsecure ? " insecure" : "")"
    }
    #expect(try destination("a.org/y:1") == "b.org/x/y insecure")
    #expect(try destination("d.org/y:1") == "d.org/y")
    #expect(throws: RegistryError.noRegistry("nowhere")) { try destination("c.org/y:1") }
  }

  @Test func oldForm() throws {
    let text = "[registries.search]\nregistries = ['a.org']\n[registries.insecure]\nregistries = ['b.org']\n"
    #expect(try configuration(text).searched == ["a.org"])
    #expect(try sources("b.org/c", text) == ["b.org/c insecure"])
  }

  @Test func shortNames() throws {
    var configuration = try configuration("[aliases]\n\"app\" = \"quay.io/team/app\"\n")
    func names(_ text: String, registry: String? = nil) throws -> [String] {
      try configuration.candidates(text, registry: registry).references.map(\.description)
    }
    #expect(try names("debian") == ["docker.io/library/debian:latest"])
    #expect(try names("app:1") == ["quay.io/team/app:1"])
    #expect(try names("app:1", registry: "a.org") == ["a.org/app:1"])
    configuration.searched = ["a.org", "docker.io"]
    #expect(try names("x/y:2") == ["a.org/x/y:2", "docker.io/x/y:2"])
    #expect(try names("docker.io/x/y:2") == ["docker.io/x/y:2"])
    #expect(try names("localhost:5000/y") == ["localhost:5000/y:latest"])
  }

  /// Without `.` and `:` they would be parts of docker.io, where anybody may have these.
  @Test func whatIsNoRegistry() throws {
    var configuration = try configuration(
      "[aliases]\n\"app\" = \"registry/app\"\n[[registry]]\nprefix = \"a.org\"\nlocation = \"registry/a\"\n")
    for registry in ["registry", "registry/team", ""] {
      #expect(throws: RegistryError.noRegistry(registry)) { try configuration.candidates("x", registry: registry) }
    }
    #expect(
      try configuration.candidates("x", registry: "localhost/team").references.map(\.description) == [
        "localhost/team/x:latest"
      ])
    #expect(throws: RegistryError.noRegistry("registry/app")) { try configuration.candidates("app", registry: nil) }
    configuration.searched = ["registry", "a.org"]
    #expect(try configuration.candidates("x", registry: nil).references.map(\.description) == ["a.org/x:latest"])
    configuration.searched = ["registry"]
    #expect(throws: RegistryError.noRegistry("registry")) { try configuration.candidates("x", registry: nil) }
    #expect(throws: RegistryError.noRegistry("registry/a")) {
      try configuration.sources(of: try #require(ImageReference("a.org/x")))
    }
  }

  @Test(arguments: [
    "a", "a =", "= 1", "[a", "[[a]", "a = [1", "a = {b = 1", "a = \"b", "a = 1\na = 2", "[a]\nb = 1\n[[a]]", "a = 1 b",
    "a = " + String(repeating: "[", count: 100_000), "a" + String(repeating: ".a", count: 10_000) + " = 1",
  ])
  func whatIsNoTOML(text: String) { #expect(TOML(Array(text.utf8)) == nil) }
}
