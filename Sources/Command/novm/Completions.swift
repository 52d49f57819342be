import ArgumentParser
import Glibc
import KernelBundle

/// What shells offer after Tab. novm itself is asked, so that every shell offers the same.
extension CompletionKind {
  /// Names of kernels, newest first.
  static var kernels: CompletionKind {
    .custom { _, _, _ in (try? KernelCommand.store.list().bundles.map(\.name)) ?? [] }
  }

  /// Names of packs.
  static var packs: CompletionKind {
    .custom { _, _, _ in (try? PackCommand.store.list().packs.map(\.name)) ?? [] }
  }

  /// Commands of this machine, which are those of a guest with its `/`.
  static var commands: CompletionKind {
    .custom { _, _, prefix in CommandNames.beginning(with: prefix, path: Surroundings.environment["PATH"] ?? "") }
  }
}

/// Programs by name, or by path once there is a slash.
enum CommandNames {
  /// - Parameter path: directories with `:` between them.
  static func beginning(with prefix: String, path: String) -> [String] {
    if let slash = prefix.lastIndex(of: "/") {
      let directory = String(prefix[...slash])
      return names(in: directory, prefix: String(prefix[prefix.index(after: slash)...]), directories: true)
        .map { directory + $0 }
    }
    return Set(path.split(separator: ":").flatMap { names(in: String($0), prefix: prefix, directories: false) })
      .sorted()
  }

  /// Files and directories of this host.
  static func files(beginning prefix: String) -> [String] {
    let start = prefix.lastIndex(of: "/").map { prefix.index(after: $0) } ?? prefix.startIndex
    let directory = String(prefix[..<start])
    return entries(directory.isEmpty ? "." : directory, prefix: String(prefix[start...])) {
      $0 & S_IFMT == S_IFDIR ? "/" : ""
    }
    .map { directory + $0 }
  }

  private static func names(in directory: String, prefix: String, directories: Bool) -> [String] {
    entries(directory, prefix: prefix) { mode in
      switch mode & S_IFMT {
      case S_IFDIR where directories: "/"
      case S_IFREG where mode & 0o111 != 0: ""
      default: nil
      }
    }
  }

  /// - Parameter ending: what to put behind a name, by the mode of what it leads to; nil leaves it out.
  private static func entries(_ directory: String, prefix: String, ending: (mode_t) -> String?) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var found: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard name.hasPrefix(prefix), name != ".", name != ".." else { continue }
      var status = stat()
      guard stat("\(directory)/\(name)", &status) == 0, let end = ending(status.st_mode) else { continue }
      found.append(name + end)
    }
    return found.sorted()
  }
}
