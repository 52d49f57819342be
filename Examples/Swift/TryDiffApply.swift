import Novm

extension Examples {
  /// Lets a command change a directory, shows what it changed, and brings it back.
  static func tryDiffApply(_ directory: String) async throws {
    var description = Description()
    try description.set("memory", "256M")
    try description.add(.read(directory, at: "/work"))
    let machine = try Store().create(description)
    do {
      try machine.start()
      _ = try await machine.run(Command("sh", "-c", "echo changed > /work/note")).end()
      try machine.stop()
      let changes = try machine.changes([Array("/work".utf8)])
      for change in changes.list { print(change.kind, text(change.path)) }
      try changes.apply()
    } catch {
      try machine.kill()
      try machine.remove()
      throw error
    }
    try machine.remove()
  }
}
