import Foundation
import HostTesting
import Testing

/// Commands on machines that do not run, which need no KVM.
struct MachineCommandsTests {
  private let novm: NovmProgram

  init() throws {
    novm = try NovmProgram()
    try machine(
      "aaaaaaaaaaa1", "web", created: "2026-11-20T10:00:00Z", state: #"{ "exitStatus" : 3, "isReady" : true }"#)
    try machine("aaaaaaaaaaa2", "worker", created: "2026-11-20T11:00:00Z", state: nil)
    try machine("bbbbbbbbbbb1", nil, created: "2026-11-20T12:00:00Z", state: #"{ "error" : "no kernel" }"#)
  }

  private func machine(_ identifier: String, _ name: String?, created: String, state: String?) throws {
    let directory = "store/machines/\(identifier)"
    for empty in ["lock", "keep"] { try novm.write("\(directory)/\(empty)", "") }
    if let name { try novm.write("\(directory)/name", name) }
    try novm.write(
      "\(directory)/machine.json",
      #"{ "created" : "\#(created)", "machine" : { "kernel" : "k" }, "process" : { "command" : [ "ls", "-l" ] } }"#)
    if let state { try novm.write("\(directory)/state.json", state) }
  }

  /// One that a command may open, whose sockets' place has its identifier on all of the host.
  private func machineToOpen(_ name: String) throws -> String {
    let identifier = String(UInt64.random(in: 1 << 44..<1 << 48), radix: 16)
    try machine(identifier, name, created: "2026-11-20T09:00:00Z", state: nil)
    return identifier
  }

  @Test func eachFailureIsToldOnce() throws {
    let result = try novm.run("rename", "web", "site")
    #expect(result.status == 0)
    // The first and the last fail, what is between is done.
    let removed = try novm.run("rm", "nobody", "site", "bbbbbbbbbbb1", "nothing")
    #expect(removed.status == 125)
    #expect(removed.output == "site\nbbbbbbbbbbb1\n")
    let told = removed.errors.split(separator: "\n")
    #expect(told.count == 2)
    #expect(told.first?.contains("no machine 'nobody'") == true && told.last?.contains("no machine 'nothing'") == true)
    let one = try novm.run("rm", "nobody")
    #expect(one.status == 125)
    #expect(one.errors.split(separator: "\n").count == 1)
    #expect(try novm.run("ls", "--all", "--quiet").output == "aaaaaaaaaaa2\n")
  }

  @Test func theKernelsLogGoesByLines() throws {
    let directory = "store/machines/aaaaaaaaaaa1"
    try novm.write("\(directory)/console.1", "one\ntwo\n")
    try novm.write("\(directory)/console", "three\n\nfive\n")
    #expect(try novm.run("logs", "--console", "web").output == "one\ntwo\nthree\n\nfive\n")
    #expect(try novm.run("logs", "--console", "--tail", "4", "web").output == "two\nthree\n\nfive\n")
    #expect(try novm.run("logs", "--console", "-n", "0", "web").output == "")
    #expect(try novm.run("logs", "--console", "-n1", "web").output == "five\n")
    expectFailure(try novm.run("logs", "--console", "--since", "1s", "web"), naming: "--console", "--since")
  }

  @Test func mistypedNamesAreCorrected() throws {
    #expect(try novm.run("stop", "wrker").errors == "novm: no machine 'wrker'; did you mean worker?\n")
    #expect(try novm.run("logs", "something-else").errors.contains("`novm ls --all` shows"))
    #expect(try novm.run("rm", "aaaa").errors.contains("2 machines begin with 'aaaa'"))
  }

  @Test(arguments: ["stop", "restart"]) func graceIsATime(command: String) throws {
    let result = try novm.run(command, "--time", "-1", "web")
    #expect(result.status == 125)
    #expect(result.errors.contains("--time: -1 is not possible"))
    #expect(result.output == "")
  }

  @Test func listsAreNewestFirst() throws {
    let table = try novm.run("ls", "--all").output.split(separator: "\n").map {
      $0.split(separator: " ").map(String.init)
    }
    #expect(table.map { $0[0] } == ["ID", "bbbbbbbbbbb1", "aaaaaaaaaaa2", "aaaaaaaaaaa1"])
    #expect(
      table[1] == ["bbbbbbbbbbb1", "bbbbbbbbbbb1", "failed", "k", "2026-11-20T12:00:00Z", "512", "MiB", "ls", "-l"])
    #expect(
      try novm.run("ls", "--dead", "--format", "{{.Name}}={{.Status}}").output
        == "bbbbbbbbbbb1=failed\nworker=created\nweb=exited (3)\n")
    let unknown = try novm.run("ls", "--format", "{{.Foo}}")
    #expect(
      unknown.status == 125 && unknown.errors.hasPrefix("novm: --format: no field 'Foo'; there are {{.ID}} {{.Name}}"))
    #expect(
      try novm.run("ls", "--dead", "--format", "{{ .Name }}{{.KERNEL}}").errors.contains("no field 'KERNEL'"))
    #expect(
      try novm.run("ls", "--dead", "--format", "{{ .Name }} {{Status }}").output
        == "bbbbbbbbbbb1 failed\nworker created\nweb exited (3)\n")
    expectFailure(try novm.run("ls", "--format", "{{json .}}"), naming: "no field 'json .'")
    expectFailure(try novm.run("ls", "--format", "{{.Name}} {{.Status}"), naming: "a {{ without its }}")
    #expect(try novm.run("ls").output.split(separator: "\n").count == 1)
  }

  @Test func publishedPortsAreShownOfWhatRuns() throws {
    let file = "\(novm.directory)/store/machines/aaaaaaaaaaa1/machine.json"
    let text = try String(contentsOfFile: file, encoding: .utf8)
    try novm.write(
      "store/machines/aaaaaaaaaaa1/machine.json",
      text.replacingOccurrences(of: #""kernel" : "k""#, with: #""publish" : [ "8080:80", "/run/x:/run/y" ]"#))
    func ports() throws -> String { try novm.run("ls", "--all", "--format", "{{.Name}} {{.Ports}}").output }
    #expect(try ports().hasSuffix("web \n"))
    // Its lock is what it lives by.
    let lock = open("\(novm.directory)/store/machines/aaaaaaaaaaa1/lock", O_RDWR | O_CLOEXEC)
    #expect(flock(lock, LOCK_EX) == 0)
    #expect(try ports().hasSuffix("web 8080:80, /run/x:/run/y\n"))
    close(lock)
  }

  /// Nobody starts or discards what is being read.
  @Test func commitsHoldTheirMachine() throws {
    let identifier = try machineToOpen("own")
    try novm.write("store/machines/\(identifier)/root/file", "text")
    // Where it waits once it has begun.
    try novm.write("store/packs/.lock", "")
    let lock = open("\(novm.directory)/store/packs/.lock", O_RDWR | O_CLOEXEC)
    #expect(flock(lock, LOCK_EX) == 0)
    let commit = Process()
    commit.executableURL = try BuiltProgram.url("novm")
    commit.arguments = ["commit", "own", "pack"]
    commit.environment = novm.environment
    commit.standardOutput = FileHandle.nullDevice
    try commit.run()
    let begin = ContinuousClock.now
    var running = ""
    while running.isEmpty, commit.isRunning, ContinuousClock.now - begin < .seconds(20) {
      running = try novm.run("ls", "--quiet").output
    }
    #expect(running == "\(identifier)\n")
    for command in [["discard", "--force"], ["commit"]] {
      expectFailure(try novm.run(command + ["own"]), naming: "own runs")
    }
    // Who starts it waits, and does not say that it runs: it has no kernel, which is found then.
    let start = Process()
    start.executableURL = try BuiltProgram.url("novm")
    start.arguments = ["start", "own"]
    start.environment = novm.environment
    start.standardError = FileHandle.nullDevice
    try start.run()
    usleep(100_000)
    close(lock)
    commit.waitUntilExit()
    start.waitUntilExit()
    #expect(commit.terminationStatus == 0 && start.terminationStatus == 125)
    #expect(try novm.run("ls", "--quiet").output == "")
    #expect(try novm.run("rm", "own").status == 0)
  }

  @Test func imagesAreMadeOfImages() throws {
    _ = try machineToOpen("own")
    expectFailure(try novm.run("commit", "--image", "own", "x:1"), naming: "own: was not made of an image")
    #expect(try novm.run("rm", "own").status == 0)
    expectFailure(try novm.run("commit", "--message", "x", "web"), naming: "give --image")
    expectFailure(try novm.run("commit", "--image", "--owner", "0:0", "web"), naming: "leave out --image")
    expectFailure(try novm.run("build", "-t", "x", "."), naming: "buildah")
  }

  @Test func labelsAndHealthAreShown() throws {
    let directory = "store/machines/aaaaaaaaaaa1"
    try novm.write(
      "\(directory)/machine.json",
      #"{ "machine" : { "label" : [ "team=web", "x=" ] }, "process" : { "command" : [ "a" ] } }"#)
    func list(_ filters: String...) throws -> String {
      try novm.run(["ls", "--all", "--quiet"] + filters.flatMap { ["--filter", $0] }).output
    }
    #expect(try list("label=team") == "aaaaaaaaaaa1\n")
    #expect(try list("label=team=web", "label=x") == "aaaaaaaaaaa1\n")
    #expect(try list("label=team=we") == "" && list("label=team", "label=y") == "")
    #expect(try novm.run("ls", "--all", "--format", "{{.Labels}}").output.hasSuffix("team=web,x=\n"))
    expectFailure(try novm.run("ls", "--filter", "label="), naming: "label=KEY")
    try novm.write(
      "\(directory)/state.json",
      #"{ "isReady" : true, "health" : { "status" : "unhealthy", "failures" : 4, "output" : "no" } }"#)
    func status() throws -> String {
      try novm.run("ls", "--all", "--filter", "label=x", "--format", "{{.Status}}").output
    }
    #expect(try status() == "killed\n")
    let lock = open("\(novm.directory)/\(directory)/lock", O_RDWR | O_CLOEXEC)
    #expect(flock(lock, LOCK_EX) == 0)
    #expect(try status() == "running (unhealthy)\n")
    close(lock)
  }

  @Test func whatCannotBePrintedIsAFailure() throws {
    let process = Process()
    process.executableURL = try BuiltProgram.url("novm")
    process.arguments = ["ls", "--all"]
    process.environment = ["NOVM_ROOT": "\(novm.directory)/store"]
    let errors = Pipe()
    process.standardError = errors
    process.standardOutput = FileHandle(forWritingAtPath: "/dev/full")
    try process.run()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 125)
    #expect(text == "novm: standard output cannot be written: No space left on device\n")
  }

  @Test func jsonIsAList() throws {
    struct Report: Decodable {
      var id: String
      var status: String
      var exitStatus: Int?
      var created: String
    }
    let reports = try JSONDecoder().decode([Report].self, from: Data(novm.run("ls", "--all", "--json").output.utf8))
    #expect(reports.map(\.id) == ["bbbbbbbbbbb1", "aaaaaaaaaaa2", "aaaaaaaaaaa1"])
    #expect(reports.map(\.status) == ["failed", "created", "exited"])
    #expect(reports.last?.exitStatus == 3 && reports.last?.created == "2026-11-20T10:00:00Z")
    // What is there is shown, whatever is not.
    let inspected = try novm.run("inspect", "web", "nobody", "worker")
    #expect(inspected.status == 125)
    #expect(inspected.errors.contains("no machine 'nobody'"))
    let found = try JSONDecoder().decode([Report].self, from: Data(inspected.output.utf8))
    #expect(found.map(\.id) == ["aaaaaaaaaaa1", "aaaaaaaaaaa2"])
  }
}
