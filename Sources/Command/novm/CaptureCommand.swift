import ArgumentParser
import Glibc
import Host
import NovmKit

struct CaptureCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "capture",
    abstract: "Write what passes a machine's network card, as pcapng.",
    discussion: """
      From now on, until Ctrl-C or the machine's end. Wireshark, tshark and tcpdump read it. A reader that is too slow \
      misses packets, which the file says; the machine does not wait. What the guest leaves to its card (checksums, \
      cutting into segments) is seen undone.

      Examples:
        novm capture web | tshark -r -
        novm capture web 1 --output second.pcapng
      """)

  @Option(
    name: [.customShort("o", allowingJoined: true), .long],
    help: ArgumentHelp("Where to write; standard output if not said.", valueName: "file"),
    completion: .file())
  var output: String?

  @Argument(help: "A name or identifier.", completion: .machines)
  var machine: String

  @Argument(help: "The card's number, from 0 on.")
  var card = 0

  func validate() throws {
    guard card >= 0 else { throw ValidationError("card \(card): give a number from 0 on") }
  }

  func run() throws {
    let record = try Machines.find(machine)
    guard let control = MonitorControl(record) else { throw NovmError.notRunning(record.name) }
    if output == nil, isatty(STDOUT_FILENO) == 1 {
      throw CommandFailure("a capture is not for a terminal: pipe it into tshark -r -, or give --output FILE")
    }
    guard let stream = try control.capture(card: card) else {
      throw CommandFailure("\(record.name) has no network card \(card); give it one with --net or --nic")
    }
    let name = output ?? "standard output"
    let descriptor: FileDescriptor
    do throws(Errno) {
      descriptor =
        if let output {
          try FileDescriptor.open(output, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o666)
        } else {
          try FileDescriptor.duplicate(of: STDOUT_FILENO)
        }
    } catch {
      throw NovmError.system(doing: "open", path: name, error)
    }
    signal(SIGPIPE, SIG_IGN)
    var capture = PacketCapture()
    try capture.copy(from: stream, to: descriptor, name: name)
  }
}
