import Glibc

/// Where `novm` finds the programs that belong to it (docs/architecture.md, "The installed layout").
package struct InstalledPrograms: Equatable, Sendable {
  package let novmm: String
  package let noguest: String
  package let nofetch: String

  package init(directory: String) {
    novmm = "\(directory)/novmm"
    noguest = "\(directory)/noguest"
    nofetch = "\(directory)/nofetch"
  }

  /// Makes sure that what a machine takes is there, before anything is done for it.
  package func require() throws(NovmError) {
    for path in [novmm, noguest] { try Self.require(path) }
  }

  package static func require(_ path: String) throws(NovmError) {
    if unsafe access(path, X_OK) != 0 { throw .programMissing(path) }
  }

  /// `NOVM_LIBEXEC`, or `../libexec/novm` from the directory of the running executable.
  package static func current(environment: [String: String]) -> InstalledPrograms {
    if let directory = environment["NOVM_LIBEXEC"], !directory.isEmpty {
      return InstalledPrograms(directory: directory)
    }
    var parts = executable().split(separator: "/").dropLast(2)
    parts += ["libexec", "novm"]
    return InstalledPrograms(directory: "/" + parts.joined(separator: "/"))
  }

  /// The executable's own path, with every link on the way resolved.
  private static func executable() -> String {
    guard let path = unsafe realpath("/proc/self/exe", nil) else { return "/usr/bin/novm" }
    defer { unsafe free(path) }
    return unsafe String(cString: path)
  }
}
