import Foundation
import HostTesting
import Testing

/// What `novm run` refuses before there is a machine, and what `novm` says of itself.
struct RunCommandTests {
  private let novm: NovmProgram

  init() throws {
    novm = try NovmProgram()
    let novmm = try novm.write("libexec/novmm", "#!/bin/sh\necho 'novmm: out of order' >&2\nexit 1\n")
    for program in [novmm, novm.directory + "/libexec/noguest"] { #expect(chmod(program, 0o755) == 0) }
  }

  /// One line that holds the text, and no machine left.
  private func expectRefusal(
    _ text: String, _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    expectFailure(try novm.run(["run"] + arguments), naming: text, sourceLocation: sourceLocation)
    #expect(!FileManager.default.fileExists(atPath: novm.directory + "/store/machines"))
  }

  @Test func unknownOptions() throws {
    try expectRefusal("unknown option '--memroy'; did you mean --memory?", "--memroy", "512", "--", "true")
    try expectRefusal("unknown option '--frobnicate'; see: novm run --help", "--frobnicate=1", "true")
    try expectRefusal("unknown option '-x'", "-x", "--", "true")
    try expectRefusal("unknown option '-x'", "--cpus", "2", "-x", "--", "true")
    try expectRefusal("missing value for '--cpus", "--cpus")
  }

  @Test func noCommand() throws {
    try expectRefusal("no command to run")
    try expectRefusal("no command to run", "--")
    try expectRefusal("no command to run", "--cpus", "2", "--")
  }

  /// What follows the command is the command's, with or without `--`: each of these gets as far as the missing kernel.
  @Test(arguments: [
    ["--", "ls", "--memroy"], ["ls", "--memroy"], ["ls", "-la"], ["--cpus", "2", "ls", "--", "-x"], ["--", "--", "x"],
  ])
  func optionsOfTheCommandAreItsOwn(arguments: [String]) throws {
    let result = try novm.run(["run"] + arguments)
    #expect(result.status == 125)
    #expect(result.errors.contains("novm kernel import"), "\(result.errors)")
  }

  @Test func machinesThatCannotBe() throws {
    try expectRefusal("--memory: 1 MiB is too little", "--memory", "1M", "--", "true")
    try expectRefusal("more than this host has", "--memory", "100T", "--", "true")
    for amount in ["plenty", "12X", "", "-5"] {
      try expectRefusal("--memory: '\(amount)' is no amount; give MiB", "--memory", amount, "--", "true")
    }
    try expectRefusal("--cpus: '0' is not possible", "--cpus", "0", "--", "true")
    try expectRefusal("--cpus: '-1' is not possible; give 1 to 254", "--cpus", "-1", "--", "true")
    try expectRefusal("--cpus: '8,cores=3' is not possible", "--cpus", "8,cores=3", "--", "true")
    try expectRefusal("--cpu-affinity: '1-' names no CPUs", "--cpu-affinity", "1-", "--", "true")
    try expectRefusal("--user: '' names nobody", "--kernel", "none", "--user", "", "--", "true")
    try expectRefusal("is no host name", "--hostname", "a b", "--", "true")
  }

  @Test func treesThatCannotBe() throws {
    let file = try novm.write("file", "")
    try expectRefusal("/nowhere: no such directory on the host; make it", "--read", "/nowhere", "--", "true")
    try expectRefusal("\(file): not a directory", "--read", "/data=>\(file)", "--", "true")
    try expectRefusal("\(file): not a directory", "--write", "/data=>\(file)", "--", "true")
    try expectRefusal("must begin with /", "--read", "data=>/srv", "--", "true")
    try expectRefusal("must not contain ..", "--read", "/a/../b=>/srv", "--", "true")
    let other = "/b=>\(novm.directory)/."
    try expectRefusal("given to --write twice", "--write", "/a=>\(novm.directory)", "--write", other, "--", "true")
    try expectRefusal("no host directory", "--write", "/data=>", "--", "true")
  }

  @Test(.needsRoot, arguments: ["/proc", "/sys", "/dev"]) func writesIntoTheHostsOwn(_ path: String) throws {
    try expectRefusal("\(path): belongs to the host's own", "--write", path, "--", "true")
  }

  @Test func kernelsThatAreNotThere() throws {
    let file = try novm.write("file", "")
    try expectRefusal("novm kernel import", "--", "true")
    try expectRefusal("no kernel other", "--kernel", "other", "--", "true")
    try expectRefusal("novm kernel import \(file)", "--kernel", file, "--", "true")
    try expectRefusal("--kernel: /no/where: No such file", "--kernel", "/no/where", "--", "true")
    try expectRefusal("`novm kernel import`", "--kernel", "../nowhere", "--", "true")
    try expectRefusal("--kernel: \(novm.directory)/ is no kernel", "--kernel", novm.directory + "/", "--", "true")
  }

  @Test func programsThatAreNotThere() throws {
    try FileManager.default.removeItem(atPath: novm.directory + "/libexec/novmm")
    try expectRefusal("libexec/novmm is missing", "--", "true")
  }

  @Test func help() throws {
    for arguments in [["--help"], ["run", "--help"], ["help", "run"], ["run", "-h"], ["doctor", "--help"]] {
      let result = try novm.run(arguments)
      #expect(result.status == 0, "\(arguments)")
      #expect(result.errors == "")
      #expect(result.output.contains("novm run"), "\(arguments)")
    }
    #expect(try novm.run("version").output == novm.run("--version").output)
    #expect(try novm.run([]).output.contains("novm doctor"))
  }

  @Test(arguments: ["run", "create", "kernel import", "pack export", "logs", "generate systemd"])
  func shortHelpFitsAScreen(command: String) throws {
    let result = try novm.run(command.split(separator: " ").map(String.init) + ["-h"])
    let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(result.status == 0 && result.errors == "")
    #expect(lines.count <= 54 && lines.allSatisfy { $0.count <= 80 }, "\(result.output)")
    #expect(
      result.output.contains("\n  e.g. novm \(command)") && result.output.hasSuffix("More: novm \(command) --help\n"))
  }

  @Test func mistypedCommands() throws {
    let result = try novm.run("rum", "--", "ls")
    #expect(result.status == 125)
    #expect(result.errors == "novm: no command 'rum'; did you mean run?\n")
    let help = try novm.run("help", "rum")
    #expect(help.status == 125 && help.errors == result.errors)
    #expect(try novm.run("stpo", "web").errors == "novm: no command 'stpo'; did you mean stop?\n")
    #expect(try novm.run("kernel", "lst").errors == "novm: no command 'lst'; did you mean list?\n")
    #expect(try novm.run("kernel", "frob").errors == "novm: no command 'frob'; see: novm kernel --help\n")
    #expect(try novm.run("--frob").errors.contains("--frob"))
    #expect(try novm.run("doctor", "--frob").errors == "novm: unknown option '--frob'; see: novm doctor --help\n")
    #expect(try novm.run("doctor", "--jsno").errors == "novm: unknown option '--jsno'; did you mean --json?\n")
  }

  @Test func doctor() throws {
    let result = try novm.run("doctor")
    #expect(result.status == 1)
    #expect(result.output.contains("FAIL  kernel"))
    #expect(result.output.contains("mend: novm kernel import"))
    let json = try novm.run("doctor", "--json")
    let report = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
    #expect(report?["healthy"] as? Bool == false)
    #expect((report?["points"] as? [[String: Any]])?.count ?? 0 >= 6)
    let quiet = try novm.run("doctor", "--can-run")
    #expect(quiet.status == 1 && quiet.output == "" && quiet.errors == "")
  }

  @Test func completions() throws {
    for shell in ["bash", "zsh", "fish"] {
      let result = try novm.run("--generate-completion-script", shell)
      #expect(result.status == 0 && result.output.contains("memory"), "\(shell)")
    }
  }
}
