import Images
import Packs
import Testing

@testable import NovmKit

struct NamedSettingsTests {
  private let nowhere = ImageStore(directory: "/proc/nowhere", packs: PackStore(directory: "/proc/nowhere"))

  private func settings(_ text: String) throws -> MachineDefinition {
    var settings = NamedSettings()
    try settings.parse(Array(text.utf8))
    return try settings.definition(directory: Array("/here".utf8), images: nowhere).definition
  }

  private func fault(_ text: String) -> NovmError? {
    var settings = NamedSettings()
    do {
      try settings.parse(Array(text.utf8))
      return nil
    } catch {
      return error
    }
  }

  @Test func callsAndTextAddUp() throws {
    var settings = NamedSettings()
    try settings.set("memory", "1G")
    try settings.set("read", "/srv")
    try settings.parse(Array("read: [/a=>b, /c=>/d]\ncpus: 2\nno-balloon: true\nname: box\nrm: true\n".utf8))
    let definition = try settings.definition(directory: Array("/here".utf8), images: nowhere).definition
    #expect(definition.machine.memory == "1G")
    #expect(definition.machine.cpus == "2")
    #expect(definition.machine.noBalloon)
    #expect(definition.machine.read == ["/=>/srv", "/a=>/here/b", "/c=>/d"])
    #expect(definition.process == nil)
    #expect(settings.name == "box")
    #expect(definition.remove)
  }

  @Test func commandsHaveTheirSettings() throws {
    let definition = try settings(
      "command: [sh, -c, exit 3]\nenv: {LANG: C, A: 'x y'}\ncwd: /srv\nuser: web\ntimeout: 10m\ninteractive: true\n")
    let process = try #require(definition.process)
    #expect(process.command == ["sh", "-c", "exit 3"])
    #expect(process.env == ["LANG=C", "A=x y"])
    #expect(process.cwd == "/srv")
    #expect(process.user == "web")
    #expect(process.timeout == 600)
    #expect(process.input)
  }

  @Test(arguments: [
    ("memroy: 1G", 1, "memroy"), ("cpus: 1\nmemory: lots", 2, "memory"), ("net: tokenring", 1, "net"),
    ("init: perhaps", 1, "init"), ("command: ls -l", 1, "command"), ("timeout: soon", 1, "timeout"),
    ("name: ~", 1, "name"), ("memory: \"1\\0G\"", 1, "memory"), ("- 1", 1, ""), ("cpus: 1\ncpus: 2", 2, ""),
    ("env: [NAME]", 1, "env"), ("read: [/a=>b, c=>d]", 1, "read"), ("publish-all: 1", 1, "publish-all"),
    ("user: ''", 1, "user"), ("read: '~/src'", 1, "read"), ("cpus: 1\nshare: ['/a=>/b', '/src=>~']", 2, "share"),
    ("mount: 'type=bind,source=~/a,target=/b'", 1, "mount"), ("net: none\nallow: [example.com]", 2, "allow"),
    ("allow: [example.com]\nnet: none", 2, "net"), ("allow: ['no name!']", 1, "allow"),
  ])
  func faultsNameLineAndSetting(_ text: String, _ line: Int, _ name: String) throws {
    guard case .setting(name, line, let words)? = fault(text) else {
      Issue.record("\(String(describing: fault(text)))")
      return
    }
    #expect(!words.isEmpty)
  }

  @Test(arguments: ["allow: [example.com]\nnet: user\n", "net: user\nallow: [example.com]\n"])
  func grantsMayComeBeforeTheNetwork(_ text: String) throws {
    let machine = try settings(text).machine
    #expect(machine.allow == ["example.com"] && machine.net == .user)
    // Without one the machine is refused.
    #expect(throws: NovmError.grantWithoutNetwork(option: "--deny", "example.com")) {
      try settings("deny: example.com\n")
    }
  }

  /// A thousand times as much takes about a thousand times as long: this took minutes.
  @Test(.timeLimit(.minutes(5))) func longListsAreTakenAtOnce() throws {
    let words = (0..<50_000).map { "w\($0)" }
    let process = try #require(try settings("command: [\(words.joined(separator: ", "))]\n").process)
    #expect(process.command == words)
  }

  @Test func whatFailsChangesNothing() throws {
    var settings = NamedSettings()
    try settings.set("memory", "1G")
    #expect(throws: NovmError.self) { try settings.parse(Array("memory: 2G\nnosuch: 1\n".utf8)) }
    #expect(try settings.definition(directory: [UInt8(ascii: "/")], images: nowhere).definition.machine.memory == "1G")
  }

  @Test func images() throws {
    #expect(try settings("entrypoint: /bin/env\ncommand: [A=1, sh]").process?.command == ["/bin/env", "A=1", "sh"])
    #expect(try settings("entrypoint: ''\ncommand: [sh]").process?.command == ["sh"])
    #expect(throws: NovmError.publishAllWithoutImage) { try settings("publish-all: true") }
    #expect(throws: (any Error).self) { try settings("image: nosuch:1") }
  }
}
