import Foundation
import HostTesting
import Testing

/// Units for systemd.
struct GenerateCommandTests {
  private let novm: NovmProgram

  init() throws {
    novm = try NovmProgram()
    for empty in ["lock", "keep"] { try novm.write("store/machines/aaaaaaaaaaaa/\(empty)", "") }
    try novm.write("store/machines/aaaaaaaaaaaa/name", "box")
  }

  @Test func unit() throws {
    try novm.write("store/machines/aaaaaaaaaaaa/machine.json", #"{"machine": {}}"#)
    let result = try novm.run("generate", "systemd", "--restart-policy", "always", "box")
    #expect(result.status == 0 && result.errors == "")
    let lines = result.output.split(separator: "\n").map(String.init)
    let start = try #require(lines.first { $0.hasPrefix("ExecStart=") })
    #expect(start.hasSuffix("/novm start --wait box") && lines.contains("Restart=always"))
    #expect(lines.contains("Environment=NOVM_ROOT=\(novm.directory)/store"))
    #expect(lines.last == "WantedBy=\(geteuid() == 0 ? "multi-user" : "default").target")
  }

  @Test(.needs(ofHost: "systemd-analyze", Tool.exists("systemd-analyze")))
  func systemdTakesIt() throws {
    try novm.write("store/machines/aaaaaaaaaaaa/machine.json", #"{"machine": {}}"#)
    let unit = try novm.write("novm-box.service", novm.run("generate", "systemd", "box").output)
    let result = try Tool.run(
      "systemd-analyze", ["verify", "--man=no", "--recursive-errors=no", unit], withErrors: true)
    #expect(result.status == 0 && result.text.isEmpty, "\(result.text)")
  }

  @Test func whatCannotBeStartedAgain() throws {
    try novm.write("store/machines/aaaaaaaaaaaa/machine.json", #"{"machine": {}, "remove": true}"#)
    let result = try novm.run("generate", "systemd", "box")
    #expect(result.status == 125 && result.output == "")
    #expect(result.errors.hasPrefix("novm: box is removed when it ends"))
    #expect(try novm.run("generate", "systemd", "--restart-policy", "sometimes", "box").status == 125)
  }
}
