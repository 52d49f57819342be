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

  private static func names(in directory: String, prefix: String, directories: Bool) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var found: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard name.hasPrefix(prefix), name != ".", name != ".." else { continue }
      var status = stat()
      guard stat("\(directory)/\(name)", &status) == 0 else { continue }
      switch status.st_mode & S_IFMT {
      case S_IFDIR where directories: found.append(name + "/")
      case S_IFREG where status.st_mode & 0o111 != 0: found.append(name)
      default: break
      }
    }
    return found.sorted()
  }
}
