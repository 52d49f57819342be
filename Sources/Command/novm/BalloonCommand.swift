import ArgumentParser
import Glibc
import NovmKit

struct BalloonCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "balloon",
    abstract: "Take memory from a running machine, or give it back.",
    discussion: """
      SIZE is how much of the machine's memory the host has then; 0 gives all of it back. The guest gives what it can, little \
      by little, its caches first, and takes some back before it would run out. What it frees by itself goes to the host \
      without this. It is waited for until the guest has given it, or gives no more. Without a size, it is only told how \
      things are.

      Examples:
        novm balloon web 256M
        novm balloon web
        novm balloon web 0
      """)

  @Flag(help: "Print JSON.")
  var json = false

  @Argument(help: ArgumentHelp("The machine's name or identifier.", valueName: "machine"), completion: .machines)
  var machine: String

  @Argument(help: ArgumentHelp("MiB, or with K, M, G, T.", valueName: "size"))
  var size: String?

  func validate() throws {
    if let size, MemorySize(size) == nil {
      throw ValidationError("'\(size)' is no size; give MiB, or a number with K, M, G or T, such as 256M")
    }
  }

  /// Waits until the guest has done what it was asked for, or stopped doing it.
  private func settle(_ control: MonitorControl, _ first: BalloonState) throws -> BalloonState {
    var state = first
    var quiet = 0
    while state.actual != state.target, quiet < Self.patience {
      usleep(100_000)
      let next = try control.balloon(nil)
      quiet = next.actual == state.actual ? quiet + 1 : 0
      state = next
    }
    return state
  }

  /// Tenths of a second without a change, after which no more is expected.
  private static let patience = 20

  func run() throws {
    let record = try Machines.find(machine)
    guard let control = MonitorControl(record) else { throw NovmError.notRunning(record.name) }
    var state = try control.balloon(size.flatMap(MemorySize.init).map { UInt64($0.mebibytes) << 20 })
    if size != nil { state = try settle(control, state) }
    if json { return try JSONOutput.print(state) }
    print("asked for \(Amount.text(state.target)), has \(Amount.text(state.actual))", terminator: "")
    if let total = state.total { print("; of \(Amount.text(total))", terminator: "") }
    if let free = state.free { print(", the guest says, \(Amount.text(free)) are free", terminator: "") }
    print()
  }
}
