import Changes
import NovmKit
import Store

/// The end of `run --try`: shows what changed, and asks what is to become of it.
struct Trial {
  private let machine: ChangedMachine

  /// - Parameter identifier: of a machine that has ended.
  init(_ identifier: String) throws { machine = try ChangedMachine(try Machines.find(identifier)) }

  /// - Parameter keeps: whether the machine is kept once nothing is left of what it changed.
  func settle(keeps: Bool) throws {
    let set = try machine.trees.changes()
    if let remark = MachineTrees.remark(on: set) { StandardError.write("novm: \(remark)\n") }
    if set.changes.isEmpty {
      StandardError.write("novm: nothing changed\n")
      return try end(keeps: keeps)
    }
    for change in set.changes { StandardError.write(change.line + "\n") }
    let name = machine.record.name
    while true {
      let question =
        "Apply \(set.changes.countText) to the host, discard them, keep them for later, or see them? [a/d/K/s] "
      switch Question.ask(question) {
      case "a", "apply":
        try machine.applyShown(set, overwriting: false, isAll: true)
        return try end(keeps: keeps)
      case "d", "discard":
        try machine.discard()
        return try end(keeps: keeps)
      case "s", "see", "show":
        for change in set.changes where try !ContentDifference.print(change, of: set, isRaw: false) {
          print(change.line)
        }
      case "", "k", "keep", nil:
        return StandardError.write(
          "novm: kept as \(name); see `novm diff --content \(name)`, `novm apply \(name)`, `novm rm \(name)`\n")
      default:
        StandardError.write(
          """
            a, apply    bring the changes to the host, unless somebody changed the same there
            d, discard  remove them
            k, keep     leave them with the machine \(name), for novm diff, apply and commit; the answer if there is none
            s, see      show what changed within files

          """)
      }
    }
  }

  private func end(keeps: Bool) throws {
    if keeps { return }
    do { try Machines.store.open(machine.record).remove() } catch { throw NovmError.store(error) }
  }
}
