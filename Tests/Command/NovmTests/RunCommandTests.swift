import Foundation
import HostTesting
import Testing

/// What `novm run` refuses before there is a machine, and what `novm` says of itself.
struct RunCommandTests {
  private let novm: NovmProgram

  init() throws {
    novm = try NovmProgram()
    try novm.writeProgram("libexec/novmm", "#!/bin/sh\necho 'novmm: out of order' >&2\nexit 1\n")
    try novm.writeProgram("libexec/noguest", "noguest")
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

  @Test func optionsOfOthersAreAnswered() throws {
    try expectRefusal("novm generate systemd NAME", "--restart=always", "--", "true")
    try expectRefusal("--systemd: that is --init", "--systemd", "--", "true")
    try expectRefusal(
      "--sysctl: the kernel takes it from its command line", "--sysctl", "net.core.somaxconn=1", "--", "true")
    try expectRefusal("--debug: novmm has no stub for gdb yet; with --debug-info", "--debug", "--", "true")
    try expectRefusal("novm stop --time SECONDS NAME", "--stop-timeout", "5", "--", "true")
    try expectRefusal("--ulimit: 'nofile=5:4' is no limit", "--ulimit", "nofile=5:4", "--", "true")
    try expectRefusal("--ulimit: 'nofile=-1' is no limit", "--ulimit", "nofile=-1", "--", "true")
    try expectRefusal("type=bind,source=PATH", "--mount", "type=bind", "--", "true")
    try expectRefusal("--shm-size: 'lots' is no amount", "--shm-size", "lots", "--", "true")
    for words in [["exec", "--share", "/a=>.", "box", "--", "true"], ["start", "--disk", "x", "box"]] {
      expectFailure(try novm.run(words), naming: "there is no hot plug")
    }
  }

  @Test func unknownOptionsAreNotHiddenByWhatIsMissing() throws {
    for (command, option) in [("rm", "--all"), ("stop", "--all"), ("logs", "--foo"), ("kernel rm", "--all")] {
      let result = try novm.run(command.split(separator: " ").map(String.init) + [option])
      expectFailure(result, naming: "unknown option '\(option)'")
    }
    expectFailure(try novm.run("rm"), naming: "missing expected argument")
  }

  /// What the parser is shown, and what goes past it, are told apart by a table of the same options.
  @Test(arguments: ["run", "create", "exec"]) func everyOptionIsKnown(command: String) throws {
    struct Help: Decodable {
      struct Name: Decodable { var kind: String, name: String }
      struct Argument: Decodable { var kind: String, names: [Name]? }
      struct Command: Decodable { var commandName: String, arguments: [Argument]?, subcommands: [Command]? }
      var command: Command
    }
    let dump = try novm.run("--experimental-dump-help").output
    let all = try JSONDecoder().decode(Help.self, from: Data(dump.utf8)).command
    let options = try #require(all.subcommands?.first { $0.commandName == command }?.arguments)
    let machine = command == "exec" ? ["box"] : []
    for option in options where option.kind != "positional" {
      for name in option.names ?? [] where !["help", "version", "h"].contains(name.name) {
        let word = (name.kind == "long" ? "--" : "-") + name.name
        let value = option.kind == "option" ? ["1"] : []
        let errors = try novm.run([command, word] + value + machine + ["--unknown-of-novm"]).errors
        #expect(!errors.contains("'\(word)'"), "\(errors)")
        #expect(option.kind == "flag" || !errors.contains("missing value"), "\(errors)")
      }
    }
  }

  /// In the time of the processor, which is what the parser's looking at all words for each of them took.
  @Test func argumentsAreCheap() throws {
    func time(_ count: Int) throws -> Double {
      let path = try novm.write(
        "time.sh", "TIMEFORMAT=%U; time \"$0\" run --kernel none -- true $(seq \(count)) 2>/dev/null")
      let process = Process()
      process.executableURL = URL(filePath: "/bin/bash")
      process.arguments = [path, try BuiltProgram.url("novm").path]
      process.environment = ["PATH": "/usr/bin:/bin", "NOVM_ROOT": "\(novm.directory)/store", "LC_ALL": "C"]
      process.arguments = ["-c", try String(contentsOfFile: path, encoding: .utf8), try BuiltProgram.url("novm").path]
      let output = Pipe()
      process.standardError = output
      try process.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      return try #require(Double(text.trimmingCharacters(in: .whitespacesAndNewlines)), "\(text)")
    }
    let (few, many) = (try time(5_000), try time(50_000))
    #expect(many < 12 * max(few, 0.02), "\(few) s for 5,000 arguments, \(many) s for 50,000")
  }

  @Test func wordsOfOthersAreUnderstoodOrAnswered() throws {
    let here = novm.directory
    for arguments in [
      ["-v", "\(here):/data"], ["-v\(here):/data:ro"], ["-v", "data:/data"], ["--volume", "./:/data"], ["-w", "/tmp"],
      ["--workdir", "/tmp"], ["--network", "none"], ["-p", "8080:80"], ["-p8000-8003:80-83"], ["--timeout", "10m"],
    ] {
      #expect(try novm.run(["run"] + arguments + ["--", "true"]).errors.contains("novm kernel import"), "\(arguments)")
    }
    try expectRefusal(
      "--volume: 'db=>data': the path in the guest must begin with /", "--volume", "db=>data", "--", "true")
    try expectRefusal("--volume: 'db:data': the path in the guest must begin with /", "-v", "db:data", "--", "true")
    try expectRefusal("'/b=>\(here)'", "--share", "\(here):/b", "--", "true")
    try expectRefusal("-v '\(here):/b'", "--read", "\(here):/b", "--", "true")
    try expectRefusal("truncate -s 10G", "--disk", "\(here)/no.img", "--", "true")
    try expectRefusal("mkfs.ext4 -d", "--root-disk", "\(here)/no.img", "--", "true")
    try expectRefusal("--timeout: 'soon' is no time", "--timeout", "soon", "--", "true")
    try expectRefusal("give a description's file", "--file", "\(here)/no.yaml")
    expectFailure(try novm.run("commit", "nosuch"), naming: "no machine 'nosuch'")
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
    try expectRefusal("\(file): a file; --write takes a directory", "--write", "/data=>\(file)", "--", "true")
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
    try expectRefusal("\(file): not a Linux kernel", "--kernel", file, "--", "true")
    try expectRefusal("--kernel: /no/where: No such file", "--kernel", "/no/where", "--", "true")
    try expectRefusal("`novm kernel import`", "--kernel", "../nowhere", "--", "true")
    try expectRefusal(": no kernel was built here", "--kernel", novm.directory + "/", "--", "true")
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
    #expect(lines.count <= 56 && lines.allSatisfy { $0.count <= 80 && !$0.hasSuffix(",…") }, "\(result.output)")
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
