import NovmKit

/// For those who write an image's name before the command, as for Docker: `novm run debian ls`.
enum ImageHint {
  /// Names that are images' rather than programs'.
  private static let known: Set<String> = [
    "alpine", "almalinux", "archlinux", "busybox", "centos", "debian", "fedora", "golang", "hello-world", "httpd",
    "mariadb", "mysql", "nginx", "node", "opensuse", "postgres", "python", "redis", "rockylinux", "rust", "ubuntu",
  ]

  /// What to add to an error; nil where the command's first word was found, or is no image's name.
  static func of(_ error: NovmError, _ words: [String]) -> String? {
    guard case .commandFailed(_, let failure) = error, failure.kind == .notFound, let name = words.first else {
      return nil
    }
    let isLoaded = (try? ImageCommand.store.find(name)) != nil
    let base = name.split(separator: ":").first.map(String.init) ?? name
    guard isLoaded || known.contains(base) || name.contains(":") else { return nil }
    let rest = words.dropFirst().isEmpty ? "" : " -- " + words.dropFirst().joined(separator: " ")
    return "; if it is an image: novm run --image \(name)\(rest)"
  }
}
