import AgentProtocol
import Testing

@testable import NovmKit

struct ResourceLimitTests {
  @Test(
    arguments: [
      ("nofile=1024:2048", 7, 1024, 2048), ("nofile=5", 7, 5, 5), ("core=0:-1", 4, 0, .max),
      ("memlock=unlimited", 8, .max, .max), ("cpu=1:2", 0, 1, 2), ("rttime=0", 15, 0, 0),
    ] as [(String, UInt8, UInt64, UInt64)])
  func parses(_ text: String, resource: UInt8, soft: UInt64, hard: UInt64) {
    #expect(ResourceLimit(text) == ResourceLimit(resource: resource, soft: soft, hard: hard))
  }

  @Test(arguments: [
    "", "nofile", "nofile=", "nofile=5:", "nofile=:5", "nofile=5:4", "nofile=-1:5", "nofile=1:2:3", "nofile=+5",
    "files=5",
    "nofile=18446744073709551616", "=5", "nofile=-2", "nofile=unlimited", "nofile=-1", "nofile=1024:unlimited",
  ]) func refuses(_ text: String) { #expect(ResourceLimit(text) == nil) }

  @Test func allHaveNames() { #expect(ResourceLimit.names.count == Int(ResourceLimit.resources)) }

  @Test func saysHowManyFilesThereCanBe() { #expect(ResourceLimit.advice.contains("fs.nr_open")) }

  @Test func goesToTheAgent() throws {
    var settings = NamedSettings()
    try settings.set("command", "true")
    try settings.set("ulimit", "nofile=5")
    #expect(throws: NovmError.self) { try settings.set("ulimit", "nofile=x") }
    let (five, none) = ([5, 0, 0, 0, 0, 0, 0, 0], [UInt8](repeating: 0, count: 8)) as ([UInt8], [UInt8])
    var command = CommandSettings()
    command.command = ["true"]
    command.ulimit = ["nofile=5", "core=0"]
    #expect(command.agentCommand.limitRecords == [7] + five + five + [4] + none + none)
  }
}
