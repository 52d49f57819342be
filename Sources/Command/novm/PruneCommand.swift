import ArgumentParser
import NovmKit
import Store

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
        try Machines.remove(record)
        print(record.name)
      } catch {
        guard case .store(.machineRuns) = error else { throw error }
      }
    }
  }
}
