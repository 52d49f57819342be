import Foundation
import HostTesting
import Testing

/// What is said in place of an image's words, as far as that shows without a machine.
struct ImageSettingsTests {
  private let novm: NovmProgram

  init() throws { novm = try NovmProgram() }

  @Test func refusals() throws {
    func refused(_ options: String..., naming text: String) throws {
      expectFailure(try novm.run(["run"] + options + ["--", "true"]), naming: text)
    }
    try refused("--publish-all", naming: "--publish-all: for what an image exposes")
    try refused("--stop-signal", "NOSUCH", naming: "'NOSUCH' is no signal")
    try refused("--health-interval", "5s", naming: "no health check to change")
    try refused("--health-cmd", "true", "--no-healthcheck", naming: "not both")
    try refused("--health-cmd", "true", "--health-timeout", "soon", naming: "'soon' is no time")
    try refused("--health-cmd", "true", "--health-retries", "0", naming: "0 is not possible")
    try refused("--health-retries", "2", "--no-healthcheck", naming: "not both")
    try refused("--health-start-period", "0", naming: "no health check to change")
    try refused("--health-cmd", "true", "--health-interval", "0", naming: "'0' is no time")
    // Without a command they are about nothing.
    for options in [["--health-cmd", "true"], ["--stop-signal", "INT"]] {
      expectFailure(try novm.run(["create"] + options), naming: "for a command, and there is none")
    }
    try refused("--label", "=x", naming: "is not KEY=VALUE")
    try refused("--env-file", "nosuch", naming: "--env-file: nosuch")
    let path = try novm.write("env", "# remark\n\n  A=1 2\r\nHOME\nno name=x\n")
    try refused("--env-file", path, naming: "env:5: is not NAME=VALUE")
    expectFailure(try novm.run("images", "--format", "{{.Nosuch}}"), naming: "there are {{.ID}} {{.Digest}}")
    #expect(try novm.run("images", "--format", "json").output.filter { !$0.isWhitespace } == "[]")
  }
}
