import ArgumentParser
import Glibc
import Host
import NovmKit
import Store

/// Does something to each of several machines: all are tried, and the first failure is the command's.
private func forEach(_ names: [String], _ body: (MachineRecord) throws -> Void) throws {
  var failure: (any Error)?
  for name in names {
    do {
      try body(try Machines.find(name))
      print(name)
    } catch {
      if let failure, let failure = CommandFailure(failure) { StandardError.write("novm: \(failure.message)\n") }
      failure = error
    }
  }
  if let failure { throw failure }
}

struct StartCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start",
    abstract: "Start machines that do not run, in the background.",
    discussion: """
      Example:
        novm start web
      """)

  @Argument(help: "Names or identifiers.", completion: .machines)
  var machines: [String]

  func run() throws {
    try forEach(machines) { record in
      if record.isAlive { return }
      try Machines.start(record)
    }
  }
}

struct StopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stop",
    abstract: "End machines: their command by SIGTERM, the rest after a while.",
    discussion: """
      A machine without a command powers off.

      Example:
        novm stop --time 30 web
      """)

  @Option(name: [.short, .long], help: "Seconds to wait before the machine is ended.")
  var time = 10

  @Argument(help: "Names or identifiers.", completion: .machines)
  var machines: [String]

  func validate() throws {
    guard time >= 0 else { throw ValidationError("--time: \(time) is not possible; give 0 seconds or more") }
  }

  func run() throws {
    try forEach(machines) { try Machines.stop($0, grace: Double(time)) }
  }
}

struct RestartCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restart",
    abstract: "Stop machines and start them.",
    discussion: """
      Example:
        novm restart web
      """)

  @Option(name: [.short, .long], help: "Seconds to wait before the machine is ended.")
  var time = 10

  @Argument(help: "Names or identifiers.", completion: .machines)
  var machines: [String]

  func run() throws {
    try forEach(machines) { record in
      try Machines.stop(record, grace: Double(max(0, time)))
      try Machines.start(record)
    }
  }
}

struct KillCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kill",
    abstract: "Send a signal to the command of machines, or end them at once.",
    discussion: """
      SIGKILL, which is the default, ends the machine as it stands; what the guest had not written back is lost.

      Examples:
        novm kill web
        novm kill --signal HUP web
      """)

  @Option(name: [.short, .long], help: "A signal's name or number: KILL, TERM, INT, HUP, QUIT, USR1 or USR2.")
  var signal = "KILL"

  @Argument(help: "Names or identifiers.", completion: .machines)
  var machines: [String]

  private var number: Int32? { SignalName.number(signal) }

  func validate() throws {
    guard number != nil else {
      throw ValidationError("--signal: '\(signal)' cannot be sent; give KILL, TERM, INT, HUP, QUIT, USR1 or USR2")
    }
  }

  func run() throws {
    try forEach(machines) { record in
      guard record.isAlive else { throw NovmError.notRunning(record.name) }
      if number == SIGKILL { return try Machines.kill(record) }
      if let number { SupervisorProcess.of(record)?.send(number) }
    }
  }
}

/// Signals that a command in the background can be sent.
enum SignalName {
  private static let known: [(String, Int32)] = [
    ("KILL", SIGKILL), ("TERM", SIGTERM), ("INT", SIGINT), ("HUP", SIGHUP), ("QUIT", SIGQUIT), ("USR1", SIGUSR1),
    ("USR2", SIGUSR2),
  ]

  /// - Parameter text: with or without `SIG`, in either case, or the number.
  static func number(_ text: String) -> Int32? {
    let upper = text.uppercased()
    let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
    return known.first { $0.0 == name || String($0.1) == name }?.1
  }
}

struct RemoveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rm",
    abstract: "Remove machines, and what they wrote to directories of their own.",
    discussion: """
      What they wrote to directories of yours stays.

      Example:
        novm rm --force web
      """,
    aliases: ["remove", "clean"])

  @Flag(name: [.short, .long], help: "End a machine that runs.")
  var force = false

  @Argument(help: "Names or identifiers.", completion: .machines)
  var machines: [String]

  func run() throws {
    try forEach(machines) { record in
      if record.isAlive, force {
        try Machines.kill(record)
        // One that removes itself is gone now.
        if try !Machines.list().contains(where: { $0.identifier == record.identifier }) { return }
      }
      try remove(record)
    }
  }
}

/// Removes a machine that does not run.
private func remove(_ record: MachineRecord) throws(NovmError) {
  do { try Machines.store.open(record).remove() } catch { throw .store(error) }
}

struct PruneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prune",
    abstract: "Remove all machines that do not run.",
    discussion: """
      Asks first, unless --force is given.

      Example:
        novm prune --force
      """,
    aliases: ["cleanall"])

  @Flag(name: [.short, .long], help: "Do not ask.")
  var force = false

  func run() throws {
    let dead = try Machines.list().filter { !$0.isAlive }
    if dead.isEmpty { return }
    if !force {
      StandardError.write("Remove \(dead.count) machines, and what they wrote to directories of their own? [y/N] ")
      guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
        throw CommandFailure("nothing is removed")
      }
    }
    for record in dead {
      // One that was started meanwhile is not dead.
      do throws(NovmError) {
        try remove(record)
        print(record.name)
      } catch {
        guard case .store(.machineRuns) = error else { throw error }
      }
    }
  }
}

struct RenameCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rename",
    abstract: "Give a machine another name.",
    discussion: """
      Example:
        novm rename web old-web
      """)

  @Argument(help: "The machine's name or identifier.", completion: .machines)
  var machine: String

  @Argument(help: "Its new name.")
  var name: String

  func run() throws {
    do throws(StoreError) {
      let record = try Machines.store.find(machine)
      try Machines.store.rename(record, to: name)
    } catch {
      throw NovmError.store(error)
    }
  }
}

struct WaitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wait",
    abstract: "Wait until machines have ended, and print the exit status of each.",
    discussion: """
      Example:
        novm wait web
      """)

  @Argument(help: "Names or identifiers.", completion: .machines)
  var machines: [String]

  func run() throws {
    for name in machines {
      let record = try Machines.find(name)
      try Machines.awaitEnd(record)
      print(MachineState(record)?.exitStatus ?? 128 + SIGKILL)
    }
  }
}
