import Foundation
import NovmKit
import Testing

/// Machines in files. Each gets as far as what is refused before there is a machine.
struct MachineFileTests {
  private let novm: NovmProgram

  init() throws {
    novm = try NovmProgram()
    for program in ["novmm", "noguest"] { try novm.writeProgram("libexec/\(program)", "#!/bin/sh\nexit 1\n") }
  }

  private func run(_ text: String, _ arguments: String..., verb: String = "run") throws -> String {
    let path = try novm.write("m.yaml", text)
    let result = try novm.run([verb, "--file", path] + arguments)
    #expect(result.status == 125)
    return result.errors.replacingOccurrences(of: novm.directory + "/", with: "")
  }

  @Test(arguments: [
    ("memory: 1G\nmemroy: 2G\n", "m.yaml:2: memroy: no such setting; did you mean memory?"),
    ("memory: 1G\nmemory: 2G\n", "m.yaml:2: memory: given twice"),
    ("read: {a: b}\n", "m.yaml:1: read: is a text, and there is none"),
    ("read:\n  - /srv\n  - [x]\n", "m.yaml:3: read: is a text"),
    ("com1: maybe\n", "m.yaml:1: com1: is true or false"),
    ("\n\ncpus:\n", "m.yaml:3: cpus: is a text, and there is none"),
    ("command: ls -l\n", "m.yaml:1: command: is a list, such as [ls, -l]"),
    ("- a\n- b\n", "m.yaml:1: no description"),
    ("memory: &x 1G\n", "m.yaml:1: anchors and aliases are not understood"),
    ("read: &x\n  - /\n", "m.yaml:1: anchors and aliases are not understood"),
    ("env: &x {A: b}\n", "m.yaml:1: anchors and aliases are not understood"),
    ("cpus: 1\nmemory: *x\n", "m.yaml:2: anchors and aliases are not understood"),
    ("a: [1, 2\nb: 3\n", "m.yaml:2: "),
    ("a: \"\\q\"\n", "m.yaml:1: "),
    ("a: [[[[[[[[[[1]]]]]]]]]]\n", "m.yaml:1: nested too deeply"),
    ("cpus: 1\nmemory: lots\n", "m.yaml:2: memory: 'lots' is no amount"),
    ("\ncpus: many\n", "m.yaml:2: cpus: 'many' is not possible"),
    ("publish:\n - 80\n", "m.yaml:1: publish: '80' is not"),
    ("net: no-such\n", "m.yaml:1: net: "),
    ("nic: tap\n", "m.yaml:1: nic: "),
    ("cwd: ~\n", "m.yaml:1: cwd: is a text, and there is none"),
    ("\nread: ['/src=>~/src']\n", "m.yaml:2: read: ~ stands for no directory in a file; write the path whole"),
    ("share:\n - ~/src\n", "m.yaml:2: share: ~ stands for no directory"),
    ("mount: type=bind,source=~/src,target=/src\n", "m.yaml:1: mount: ~ stands for no directory"),
    ("zzz: 1\n", "m.yaml:1: zzz: no such setting; see: man novm-run"),
  ])
  func mistakesNameLineAndField(text: String, words: String) throws {
    let errors = try run(text)
    #expect(errors.contains(words), "\(errors)")
    #expect(errors.split(separator: "\n").count == 1)
  }

  @Test func settingsAreOptions() throws {
    let good = "memory: 1G\nenv: {A: 'b c'}\nread: [/]\nrm: true\ncommand: [ls, -l]\n"
    // All is understood: what is missing is a kernel.
    #expect(try run(good).contains("novm kernel import"))
    #expect(try run(#"{"memory": "1G", "command": ["ls"]}"#).contains("novm kernel import"))
    #expect(try run("memory: 1M\ncommand: [ls]\n").contains("--memory: 1 MiB is too little"))
    #expect(try run("memory: 1G\n").contains("no command to run"))
    #expect(try run("detach: true\ncommand: [ls]\n", verb: "create").contains("detach: no such setting"))
    #expect(try !run("allow: [example.com]\nnet: user\ncommand: [ls]\n").contains("m.yaml"))
    #expect(try run("allow: [example.com]\ncommand: [ls]\n").contains("--allow"))
    #expect(try run("env: [=x]\ncommand: [ls]\n").contains("--env: '=x' is not NAME=VALUE"))
  }

  @Test func theCommandLineComesAfterTheFile() throws {
    #expect(try run("memory: 1M\ncommand: [ls]\n", "--memory", "1G").contains("novm kernel import"))
    #expect(try run("memory: 1G\ncommand: [ls]\n", "--memory=1M").contains("too little"))
    // A command of its own; what follows it is the command's.
    #expect(try run("memory: 1G\n", "--", "ls", "--file", "x").contains("novm kernel import"))
    for group in [["-it"], ["-ti", "-d"]] {
      #expect(try novm.run(["run"] + group + ["-f", "/no/such/file", "ls"]).errors.contains("/no/such/file: No such"))
    }
    #expect(try novm.run("run", "-itf", "/no/such/file", "ls").errors.contains("/no/such/file: No such"))
    #expect(try run("memory: 1G\n", "--file", "x").contains("--file: given twice"))
    #expect(try novm.run("run", "-f", "/no/such/file", "ls").errors.contains("/no/such/file:0: No such file") == false)
    #expect(try novm.run("run", "-f", "/no/such/file", "ls").errors.contains("/no/such/file: No such file"))
  }

  @Test func eachNameIsDocumented() throws {
    let text = try String(contentsOfFile: "docs/machine-file.md", encoding: .utf8)
    for name in NamedSettings.names + ["image", "entrypoint", "detach", "verbose", "timings"] {
      #expect(text.contains("`\(name)`"), "\(name)")
    }
  }

  /// Each name that libnovm takes, the command's files take, too.
  @Test func theLibraryHasNoNamesOfItsOwn() throws {
    for name in NamedSettings.names where name != "command" {
      let errors = try run("\(name): {a: [b]}\n", verb: "create")
      #expect(!errors.contains("no such setting"), "\(name)")
    }
  }
}
