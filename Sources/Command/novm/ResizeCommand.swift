import ArgumentParser
import Host
import NovmKit

struct ResizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resize",
    abstract: "Make a disk of a running machine larger.",
    discussion: """
      Without a size, the guest is told of the one that the disk's file or block device has by now. A disk does not shrink. \
      In the guest, resize2fs or its like then makes the file system larger.

      Examples:
        novm resize web 0 20G
        novm resize web backup
      """)

  @Argument(help: ArgumentHelp("The machine's name or identifier.", valueName: "machine"), completion: .machines)
  var machine: String

  @Argument(
    help: ArgumentHelp(
      "The disk: its place, from 0, in the order of the options; or its serial number.", valueName: "disk"))
  var disk: String

  @Argument(help: ArgumentHelp("Its size then: MiB, or with K, M, G, T.", valueName: "size"))
  var size: String?

  func validate() throws {
    guard (1...Disk.serialLimit).contains(disk.utf8.count), !disk.contains(" "), !disk.contains("\n") else {
      throw ValidationError("'\(disk)' is neither a place nor a serial number of a disk")
    }
    if let size, MemorySize(size) == nil {
      throw ValidationError("'\(size)' is no size; give MiB, or a number with K, M, G or T, such as 20G")
    }
  }

  func run() throws {
    let target = size.flatMap(MemorySize.init).map { UInt64($0.mebibytes) << 20 }
    let record = try Machines.find(machine)
    guard let control = MonitorControl(record) else { throw NovmError.notRunning(record.name) }
    print(Amount.text(try control.resize(disk, to: target)))
  }
}
