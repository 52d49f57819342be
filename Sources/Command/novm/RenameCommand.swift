import ArgumentParser
import NovmKit
import Store

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
