import CGuest

/// `/etc/resolv.conf`, with nothing of the tree changed where it has one: ours is mounted over it.
enum ResolverFile {
  static let path: Bytes = "/etc/resolv.conf"
  private static let ours: Bytes = "/run/novm/resolv.conf"

  /// The most that are asked (resolv.conf(5), MAXNS).
  private static let limit = 3

  /// Leaves what the tree has at `path` to be read: as if ours were mounted already.
  static func stayApart() {
    try? Files.makeDirectory("/run/novm")
    _ = try? Descriptor.open(ours, O_WRONLY | O_CREAT, mode: 0o644)
  }

  /// - Parameters:
  ///   - resolvers: those that come first count, each once.
  ///   - domain: names without a dot are looked for in it; empty for none.
  static func write(_ resolvers: [IPAddress], domain: Bytes) {
    var text: Bytes = domain.isEmpty ? [] : "search " + domain + "\n"
    var asked: [IPAddress] = []
    for resolver in resolvers where asked.count < limit && !asked.contains(resolver) {
      asked.append(resolver)
      text += "nameserver " + resolver.text + "\n"
    }
    do throws(SystemError) {
      let isThere = Files.exists(ours)
      try Files.makeDirectory("/run/novm")
      // In place: what is mounted is the file, not its name.
      _ = try Descriptor.open(ours, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644).write(text)
      if isThere { return }
      try? Files.makeDirectory("/etc")
      // A link that leads nowhere, such as systemd-resolved's into /run, gets what it leads to.
      if !Files.exists(path) { try makeTarget() }
      try Mount.cover(path, with: ours)
    } catch {
      Log.warning("cannot write " + path + ": " + error.text)
    }
  }

  /// Makes the file that `path` leads to, and the directories to it.
  private static func makeTarget() throws(SystemError) {
    if var target = Files.linkTarget(path) {
      if target.first != UInt8(ascii: "/") { target = "/etc/" + target }
      var directory: Bytes = []
      for name in target.parts(at: UInt8(ascii: "/")).dropLast() where !name.isEmpty {
        directory += "/" + name
        try Files.makeDirectory(directory)
      }
    }
    _ = try Descriptor.open(path, O_WRONLY | O_CREAT, mode: 0o644)
  }
}
