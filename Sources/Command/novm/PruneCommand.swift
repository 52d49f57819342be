import ArgumentParser
import Images
import NovmKit
import Store

struct PruneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prune",
    abstract: "Remove all machines that do not run, and templates; or all images that no machine is made of.",
    discussion: """
      Asks first if there are machines, unless --force is given; templates go with them, or alone without a question: they \
      are made anew (docs/templates.md).

      Examples:
        novm prune --force
        novm prune --images
      """,
    aliases: ["cleanall"])

  @Flag(name: [.short, .long], help: "Do not ask.")
  var force = false

  @Flag(help: "Remove images instead, with the layers that nothing has any more.")
  var images = false

  func run() throws {
    if images { return try pruneImages() }
    let dead = try Machines.list().filter { !$0.isAlive }
    if dead.isEmpty { return removeTemplates() }
    try ask("Remove \(dead.count) machines, and what they wrote to directories of their own?")
    for record in dead {
      // One that was started meanwhile is not dead.
      do throws(NovmError) {
        try Machines.remove(record)
        print(record.name)
      } catch {
        guard case .store(.machineRuns) = error else { throw error }
      }
    }
    removeTemplates()
  }

  /// They are made anew by who misses them.
  private func removeTemplates() {
    let count = Machines.templateStore.removeAll(runtime: Surroundings.paths.runtime)
    if count > 0 { StandardError.write("novm: removed \(count) templates\n") }
  }

  private func ask(_ question: String) throws {
    if force { return }
    StandardError.write("\(question) [y/N] ")
    guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
      throw CommandFailure("nothing is removed")
    }
  }

  private func pruneImages() throws {
    let store = ImageCommand.store
    let users = Machines.all.packUsers()
    guard users.isWhole else { throw CommandFailure("not every machine can be read; see: novm ls --all") }
    let idle = try store.list().filter { image in image.packs.allSatisfy { users.users[$0] == nil } }
    if !idle.isEmpty { try ask("Remove \(idle.count) images?") }
    for image in idle {
      // One that a machine was made of meanwhile stays.
      do throws(ImageError) {
        _ = try store.remove(image.id.description, force: true, users: Machines.all.packUsers)
        print(image.name)
      } catch {
        switch error {
        case .inUse, .noSuchImage: continue
        default: throw error
        }
      }
    }
    // Also where no image is removed.
    try store.sweep(users: Machines.all.packUsers)
  }
}
