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

  // MARK: What an image may say

  /// Brings in an image that says this of its command, by the name `x:1`.
  private func load(_ process: [String: Any]) throws { try #require(try loads(process) == 0) }

  /// - Returns: the status of `novm load`.
  private func loads(_ process: [String: Any]) throws -> Int32 {
    let text = String(decoding: try JSONSerialization.data(withJSONObject: process), as: UTF8.self)
    let process = try novm.write("process.json", text)
    let script = """
      set -e; cd "$(dirname "$2")"; tar -cf layer.tar -T /dev/null
      diff=$(sha256sum layer.tar | cut -d ' ' -f 1)
      { printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"config":' "$diff"
        cat "$2"; printf '}'; } >config
      printf '[{"Config":"config","RepoTags":["x:1"],"Layers":["layer.tar"]}]' >manifest.json
      tar -cf image.tar manifest.json config layer.tar; "$1" load --quiet --input image.tar
      """
    let shell = Process()
    shell.executableURL = URL(filePath: "/bin/bash")
    shell.arguments = ["-c", script, "load", try BuiltProgram.url("novm").path, process]
    shell.environment = novm.environment
    shell.standardOutput = FileHandle.nullDevice
    try shell.run()
    shell.waitUntilExit()
    return shell.terminationStatus
  }

  /// What is said of an image by `create`. There is no kernel here, which is found out after all that an image says.
  private func word(_ process: [String: Any], _ options: String...) throws -> String {
    try load(process)
    let result = try novm.run(["create", "--image", "x:1"] + options)
    #expect(result.status == 125 && result.errors.utf8.count < 1000, "\(result.errors.prefix(2000))")
    return result.errors
  }

  private static let wellSaid = "kernel"

  @Test func volumes() throws {
    func volumes(_ paths: [String]) throws -> String {
      try word(["Cmd": ["x"], "Volumes": Dictionary(uniqueKeysWithValues: paths.map { ($0, [:] as [String: Any]) })])
    }
    #expect(try volumes((0..<64).map { "/v\($0)" }).contains(Self.wellSaid))
    // One place, by whatever names.
    #expect(try volumes(["/data", "/data/", "//./data"]).contains(Self.wellSaid))
    #expect(try volumes((0..<65).map { "/v\($0)" }).contains("declares 65 volumes; a machine has 64"))
    for path in [
      "/", "", "x", "//", "/./.", "/a/../..", "/" + String(repeating: "x", count: 100_000), "/\u{1B}[2J\n/../..",
    ] {
      let said = try volumes([path])
      #expect(said.contains("where none can be") && !said.contains("\u{1B}"), "\(said)")
    }
  }

  @Test func ports() throws {
    func ports(_ texts: [String], _ options: String...) throws -> String {
      try load([
        "Cmd": ["x"], "ExposedPorts": Dictionary(uniqueKeysWithValues: texts.map { ($0, [:] as [String: Any]) }),
      ])
      let result = try novm.run(["create", "--image", "x:1"] + options)
      #expect(result.status == 125 && result.errors.utf8.count < 1000)
      return result.errors
    }
    #expect(try ports((1...256).map { "\($0)/tcp" }, "--publish-all").contains(Self.wellSaid))
    #expect(try ports((1...257).map { "\($0)/tcp" }, "-P").contains("exposes 257 ports; --publish-all takes 256"))
    // Nobody is interested in them otherwise.
    #expect(try ports((1...257).map { "\($0)/tcp" }).contains(Self.wellSaid))
    #expect(try ports(["80/sctp", "53/UDP"], "-P").contains(Self.wellSaid))
    for text in ["0", "65536", "-1", "x", "", "80/tcp/x", "/tcp", "80-90", String(repeating: "8", count: 100_000)] {
      #expect(try ports([text], "-P").contains("which is no port"), "\(text.prefix(20))")
    }
  }

  @Test func longTexts() throws {
    let long = String(repeating: "x", count: 3 << 20)
    #expect(try word(["Cmd": [long]]).contains("more for its command than the 2 MiB that Linux takes"))
    #expect(
      try word(["Cmd": ["x"], "Env": (0..<100_000).map { "A\($0)=some words of it" }]).contains("more for its command"))
    #expect(try word(["Cmd": ["x"], "StopSignal": long]).contains("which is no signal"))
    #expect(try word(["Cmd": ["x"], "Labels": ["k": long, "": "x", "a=b": "x"]]).contains(Self.wellSaid))
    // More than an image's description may have.
    #expect(try loads(["Cmd": ["x"], "Labels": ["k": long + long]]) == 125)
  }

  @Test func healthChecks() throws {
    // Numbers that are none, that no clock has, and of another kind: they are bounded, or left out.
    for number in [0, -1, 1, Int64.max, Int64.min, "soon", 1.5, [], NSNull(), ["a": 1]] as [Any] {
      let check = [
        "Test": ["CMD", "true"], "Interval": number, "Timeout": number, "StartPeriod": number, "StartInterval": number,
        "Retries": number,
      ]
      #expect(try word(["Cmd": ["x"], "Healthcheck": check]).contains(Self.wellSaid))
    }
    for test in [[], ["NONE"], ["CMD"], ["CMD-SHELL"], ["WHAT", "x"], [1], "true", 7, NSNull()] as [Any] {
      // None at all, so that there is nothing to change.
      let said = try word(["Cmd": ["x"], "Healthcheck": ["Test": test]], "--health-retries", "2")
      #expect(said.contains("no health check to change"), "\(test): \(said)")
    }
    #expect(try word(["Cmd": ["x"], "Healthcheck": 7]).contains(Self.wellSaid))
  }

  // MARK: When it is pulled

  @Test func pulling() throws {
    try load(["Cmd": ["x"]])
    expectFailure(try novm.run("create", "--pull", "never", "--image", "y:1"), naming: "no image y:1, and --pull never")
    #expect(try novm.run("create", "--pull", "never", "--image", "x:1").errors.contains(Self.wellSaid))
    // Whatever keeps it from being looked for: nothing is installed here that speaks to registries.
    let newer = try novm.run("create", "--pull", "newer", "--image", "x:1").errors
    #expect(newer.contains("nofetch") && newer.contains("this is the one that is here"), "\(newer)")
    #expect(newer.contains(Self.wellSaid), "\(newer)")
    expectFailure(try novm.run("create", "--pull", "newer", "--image", "y:1"), naming: "nofetch")
    expectFailure(try novm.run("create", "--pull", "sometimes", "--image", "x:1"), naming: "sometimes")
    expectFailure(try novm.run("create", "--pull", "never"), naming: "give --image")
    expectFailure(try novm.run("run", "--image", "x:1", "--platform", "linux/arm64"), naming: "linux/amd64")
    #expect(try novm.run("create", "--platform", "linux/amd64", "--image", "x:1").errors.contains(Self.wellSaid))
    let path = try novm.write("machine.yaml", "image: y:1\npull: never\n")
    expectFailure(try novm.run("create", "--file", path), naming: "no image y:1, and --pull never")
  }

  @Test func othersOptions() throws {
    expectFailure(try novm.run("pull", "--all-tags", "x"), naming: "skopeo list-tags")
    expectFailure(try novm.run("push", "--creds", "a:b", "x"), naming: "novm login")
    expectFailure(try novm.run("commit", "--pause", "x"), naming: "novm stop")
    expectFailure(try novm.run("commit", "--change", "ENV A=1", "x"), naming: "give --image")
    expectFailure(try novm.run("commit", "--image", "--change", "RUN x", "x"), naming: "CMD, ENTRYPOINT")
    for (line, words) in [
      ("STOPSIGNAL FOO", "'FOO' is no signal"), ("VOLUME /a/..", "no such line"),
      ("ENV A=${B:-c}", "$NAME and ${NAME}"),
    ] {
      expectFailure(try novm.run("commit", "--image", "--change", line, "x"), naming: words)
    }
    // Of what is removed, images alone have more to be said.
    expectFailure(try novm.run("rmi", "--all"), naming: "novm prune --images")
    for group in ["kernel", "pack"] {
      expectFailure(try novm.run(group, "rm", "--all"), naming: "unknown option '--all'")
    }
    expectFailure(try novm.run("images", "--filter", "before=x"), naming: "dangling=true|false")
  }

  @Test func lists() throws {
    try load(["Labels": ["team": "web"]])
    _ = try novm.run("tag", "x:1", "x:2", "localhost/y:1")
    func names(_ options: String...) throws -> [String] {
      let result = try novm.run(["images", "--format", "{{.Name}}"] + options)
      #expect(result.status == 0, "\(result)")
      return result.output.split(separator: "\n").map(String.init)
    }
    #expect(try names() == ["x:1", "x:2", "localhost/y:1"])
    #expect(try names("x") == ["x:1", "x:2"] && names("x:2") == ["x:2"] && names("z") == [])
    #expect(try names("--filter", "label=team=web", "localhost/y") == ["localhost/y:1"])
    #expect(try names("--filter", "label=team=db") == [] && names("--filter", "dangling=true") == [])
    let id = try novm.run("images", "--quiet", "--no-trunc").output
    #expect(id.hasPrefix("sha256:") && id.count == 72)
    // A machine's name goes before an image's.
    #expect(try novm.run("inspect", "x:2").output.contains(String(id.dropLast())))
    expectFailure(try novm.run("tag", "x:1", "x:3", "No:"), naming: "no image's name")
    #expect(try names("x:3") == [])
    let long = "localhost/\(String(repeating: String(repeating: "y", count: 60) + "/", count: 4))z"
    expectFailure(try novm.run("tag", "x:1", "x:3", long), naming: "a name of more than 255 bytes")
    #expect(try names("x:3") == [])
  }
}
