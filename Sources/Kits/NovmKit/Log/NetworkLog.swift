/// What the cards of a machine were refused, and what became of their links: a line each behind its time, in files of bounded size,
/// of which there is none before there is a line.
package final class NetworkLog {
  package static let file = "network"

  /// What lines of the monitor's begin with that belong here.
  static let prefix = "network card "
  /// What is in those of them that tell what was refused.
  package static let refusal = " does not reach "

  private let path: String
  private var lines: RotatedFile?

  init(_ path: String) { self.path = path }

  func append(_ line: String) {
    if lines == nil { lines = try? RotatedFile(path, limit: Self.limit) }
    lines?.append(Array("\(LogTime.now.text) \(line)\n".utf8))
  }

  private static let limit = 1 << 20
}
