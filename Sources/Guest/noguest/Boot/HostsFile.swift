import CGuest

/// `/etc/hosts` (hosts(5)), with the tree's own left as it is: one that knows the machine's name is mounted over it.
enum HostsFile {
  static let path: Bytes = "/etc/hosts"
  private static let ours: Bytes = "/run/novm/hosts"

  /// Lets the machine's own name lead to 127.0.1.1, as Debian has it, unless the tree's file knows it, or there is none.
  static func name(_ host: Bytes) {
    do throws(SystemError) {
      var text = try Files.contents(path)
      guard !knows(host, text) else { return }
      if text.last != UInt8(ascii: "\n"), !text.isEmpty { text += "\n" }
      text += "127.0.1.1\t" + host + "\n"
      try Files.makeDirectory("/run/novm")
      _ = try Descriptor.open(ours, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644).write(text)
      try Mount.cover(path, with: ours)
    } catch {
      if error != .noEntry { Log.warning("cannot name the machine in " + path + ": " + error.text) }
    }
  }

  private static func knows(_ host: Bytes, _ text: Bytes) -> Bool {
    text.parts(at: UInt8(ascii: "\n")).contains { line in
      let words = line.prefix { $0 != UInt8(ascii: "#") }.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
      return words.dropFirst().contains { $0.elementsEqual(host) }
    }
  }
}
