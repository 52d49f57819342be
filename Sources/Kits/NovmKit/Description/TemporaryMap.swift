/// A directory of the guest's that is in its memory.
package struct TemporaryMap: Equatable, Sendable {
  /// Absolute, and such that a kernel command line can carry it.
  package var guest: String
  /// Of tmpfs(5), with commas between them.
  package var options: String

  /// Parses `GUEST[:OPTION[,OPTION]...]`, as Docker has it. What says how containers are mounted, such as `rw` and `noexec`, is taken
  /// and says nothing.
  package init(parsing text: String) throws(NovmError) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let names = parts[0].split(separator: "/")
    guard parts[0].hasPrefix("/"), !names.isEmpty, !names.contains(".."), parts[0].utf8.count <= 128,
      parts[0].utf8.allSatisfy(MachineDescription.isPlain)
    else { throw .temporary(text) }
    guest = "/" + names.filter { $0 != "." }.joined(separator: "/")
    var kept: [Substring] = []
    for option in parts.dropFirst().flatMap({ $0.split(separator: ",") }) {
      if Self.plain.contains(String(option)) { continue }
      let words = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard words.count == 2, Self.known.contains(String(words[0])), !words[1].isEmpty,
        words[1].utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x25 })
      else { throw .temporary(text) }
      kept.append(option)
    }
    options = kept.joined(separator: ",")
  }

  /// As `--tmpfs` and the guest's agent take it.
  package var argument: String { options.isEmpty ? guest : "\(guest):\(options)" }

  private static let known = ["size", "mode", "uid", "gid", "nr_inodes"]
  private static let plain = ["rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev"]
}
