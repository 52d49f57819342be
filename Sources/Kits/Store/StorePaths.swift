import Glibc

/// Where novm keeps its things, from the environment and the user.
///
/// | | variable | root | others |
/// |---|---|---|---|
/// | `root` | `NOVM_ROOT` | `/var/lib/novm` | `$XDG_DATA_HOME/novm`, by default `~/.local/share/novm` |
/// | `kernels` | `NOVM_KERNELS` | `root`/kernels | `root`/kernels |
/// | `machines` | `NOVM_INSTANCES` | `root`/machines | `root`/machines |
/// | `packs` | `NOVM_PACKS` | `root`/packs | `root`/packs |
/// | `volumes` | | `root`/volumes | `root`/volumes |
/// | `templates` | | `root`/templates | `root`/templates |
/// | `runtime` | | `/run/novm` | `$XDG_RUNTIME_DIR/novm`, else `/tmp/novm-UID` |
package struct StorePaths: Equatable, Sendable {
  package let root: String
  package let kernels: String
  package let machines: String
  package let packs: String
  package let volumes: String
  package let templates: String
  /// Sockets and other files that live only as long as a machine.
  package let runtime: String

  /// - Parameters:
  ///   - environment: a value that is empty counts as absent; a relative path starts at `workingDirectory`.
  ///   - home: where the user's data goes if nothing else is said.
  package init(environment: [String: String], userID: UInt32, home: String, workingDirectory: String) {
    func path(_ name: String) -> String? {
      guard let value = environment[name], !value.isEmpty else { return nil }
      return value.hasPrefix("/") ? value : "\(workingDirectory)/\(value)"
    }
    // The XDG base directory specification: relative paths are to be ignored.
    func base(_ name: String) -> String? {
      environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil }
    }
    let root =
      path("NOVM_ROOT")
      ?? (userID == 0 ? "/var/lib/novm" : (base("XDG_DATA_HOME") ?? "\(home)/.local/share") + "/novm")
    self.root = root
    kernels = path("NOVM_KERNELS") ?? "\(root)/kernels"
    machines = path("NOVM_INSTANCES") ?? "\(root)/machines"
    packs = path("NOVM_PACKS") ?? "\(root)/packs"
    volumes = "\(root)/volumes"
    templates = "\(root)/templates"
    runtime =
      userID == 0 ? "/run/novm" : base("XDG_RUNTIME_DIR").map { "\($0)/novm" } ?? "/tmp/novm-\(userID)"
  }

  /// Where the user's own files are.
  package static func home(environment: [String: String]) -> String {
    let home = environment["HOME"] ?? ""
    return home.hasPrefix("/") ? home : Accounts.home(of: geteuid()) ?? "/"
  }

  /// The paths of this process.
  package static func current(environment: [String: String]) -> StorePaths {
    let home = home(environment: environment)
    let workingDirectory = unsafe getcwd(nil, 0).map { path in
      defer { unsafe free(path) }
      return unsafe String(cString: path)
    }
    return StorePaths(
      environment: environment, userID: geteuid(), home: home, workingDirectory: workingDirectory ?? "/")
  }
}
