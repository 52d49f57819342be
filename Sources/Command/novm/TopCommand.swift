import ArgumentParser
import NovmKit

struct TopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top",
    abstract: "List the processes of a machine that runs.",
    discussion: """
      The guest's kernel is asked, by the agent: the machine's tree needs no program for it.

      Example:
        novm top web
      """)

  @Flag(help: "Print JSON: a list of objects.")
  var json = false

  @Argument(help: "The machine's name or identifier.", completion: .machines)
  var machine: String

  func run() throws {
    let processes = try GuestProcess.list(vsock: Machines.running(machine).vsock)
    if json { return try JSONOutput.print(processes) }
    var table = Table("PID", "PPID", "UID", "STATE", "MEMORY", "TIME", "COMMAND")
    for process in processes {
      table.add(
        "\(process.id)", "\(process.parent)", "\(process.user)", process.state, Amount.text(process.resident),
        Self.time(process.processorTime), process.command)
    }
    print(table.text)
  }

  /// `MINUTES:SECONDS.HUNDREDTHS`
  private static func time(_ seconds: Double) -> String {
    let hundredths = Int((seconds * 100).rounded())
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(hundredths / 6000):\(two(hundredths / 100 % 60)).\(two(hundredths % 100))"
  }
}
