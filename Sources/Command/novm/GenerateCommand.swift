import ArgumentParser
import Glibc
import Host
import NovmKit
import Store

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Write what other programs need to look after machines.",
    subcommands: [Systemd.self])

  struct Systemd: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "systemd",
      abstract: "Print a unit by which systemd starts a machine, at boot too, and starts it anew.",
      discussion: """
        As root it is for the system, else for `systemctl --user`; whose machines are to start without a login, wants \
        `loginctl enable-linger` too.

        Example:
          novm generate systemd web >~/.config/systemd/user/novm-web.service
          systemctl --user daemon-reload
          systemctl --user enable --now novm-web
        """)

    @Option(
      name: .customLong("restart-policy"),
      help: ArgumentHelp(
        "When systemd starts it anew: no, on-failure, on-abnormal or always.", valueName: "POLICY"))
    var restart = RestartPolicy.onFailure

    @Argument(help: "The machine's name or identifier.", completion: .machines)
    var machine: String

    func run() throws {
      let record = try Machines.find(machine)
      if MachineDefinition(record)?.remove ?? true {
        throw CommandFailure(
          "\(record.name) is removed when it ends, so it cannot be started again; make it without --rm")
      }
      let variables = ["NOVM_ROOT", "NOVM_INSTANCES", "NOVM_KERNELS", "NOVM_PACKS", "NOVM_LIBEXEC", "XDG_DATA_HOME"]
      let unit = SystemdUnit(
        machine: record.name, novm: Machines.ownPath, restart: restart,
        environment: variables.compactMap { name in Surroundings.environment[name].map { (name, $0) } },
        isForUser: geteuid() != 0)
      print(unit.text, terminator: "")
    }
  }
}

/// systemd.service(5), `Restart=`.
enum RestartPolicy: String, CaseIterable, ExpressibleByArgument {
  case no
  case onFailure = "on-failure"
  case onAbnormal = "on-abnormal"
  case always
}

/// A unit of systemd's for one machine (systemd.service(5)).
struct SystemdUnit {
  var machine: String
  /// The path of this program.
  var novm: String
  var restart: RestartPolicy
  /// What names the store.
  var environment: [(name: String, value: String)]
  var isForUser: Bool

  /// `start --wait` is there as long as the machine is; `stop` asks the guest, which SIGTERM to all of them would not.
  var text: String {
    let program = Self.quoted(novm)
    let variables = environment.map { "Environment=\(Self.quoted("\($0.name)=\($0.value)"))\n" }.joined()
    return """
      [Unit]
      Description=novm machine \(machine)
      Documentation=man:novm(1)
      Wants=network-online.target
      After=network-online.target

      [Service]
      Type=exec
      \(variables)ExecStart=\(program) start --wait \(machine)
      ExecStop=\(program) stop \(machine)
      Restart=\(restart.rawValue)
      KillMode=mixed
      TimeoutStopSec=60

      [Install]
      WantedBy=\(isForUser ? "default.target" : "multi-user.target")

      """
  }

  /// As one word (systemd.syntax(7), "Quoting"), in which no specifiers are looked for.
  static func quoted(_ text: String) -> String {
    var word = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\", "\"": word += "\\\(scalar)"
      case "%": word += "%%"
      case "\n": word += "\\n"
      default: word.unicodeScalars.append(scalar)
      }
    }
    return text.contains { " \t\n\\\"'".contains($0) } ? "\"\(word)\"" : word
  }
}
