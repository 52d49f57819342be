/// A command's environment (environ(7)): what the host gave, and what every command may expect.
struct Environment {
  private(set) var entries: [Bytes]

  init(_ entries: [Bytes]) { self.entries = entries }

  subscript(_ name: Bytes) -> Bytes? {
    for entry in entries {
      if let value = entry.after(name + "=") { return value }
    }
    return nil
  }

  mutating func supply(_ name: Bytes, _ value: Bytes) {
    if self[name] == nil { entries.append(name + "=" + value) }
  }

  /// What `PATH` is where nobody says: that of a login by root, as Docker has it too.
  static let defaultPath: Bytes = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}
