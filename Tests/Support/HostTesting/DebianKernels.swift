import Foundation

/// Debian's own kernels, the same that guest tests boot: scripts/kernel-packages fetches them once.
package enum DebianKernels {
  /// Packages' files. Not there where apt gives none, or is another distribution's.
  package static let cloud = package(of: "cloud")
  package static let generic = package(of: "generic")
  package static let what = "Debian's kernel, by scripts/kernel-packages"

  /// Another distribution's apt has kernels that our tests know nothing of.
  package static let areOffered =
    (try? String(contentsOfFile: "/etc/os-release", encoding: .utf8))?.split(separator: "\n").contains("ID=debian")
    == true

  private static func package(of flavour: String) -> String? {
    guard areOffered else { return nil }
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../../scripts/kernel-packages").standardizedFileURL.path
    guard let result = try? Tool.run(script, [flavour]), result.status == 0 else { return nil }
    return result.text.split(separator: "\n").first.map(String.init)
  }
}
