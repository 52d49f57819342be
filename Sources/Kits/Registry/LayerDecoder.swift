import Download
import Glibc
import Host
import Packs

/// A process that makes a pack of a layer, which it reads from a pipe: what decodes strangers' archives has none of this process's
/// memory, locks and network.
package final class LayerDecoder {
  package enum Step: Equatable, Sendable {
    /// Bytes so far.
    case read(UInt64)
    case ended
  }

  /// What stands behind the words that name the command.
  package struct Order: Equatable, Sendable {
    package var diff: Digest
    package var digest: Digest
    package var input: Int32
    package var report: Int32
    package var origin: String

    var words: [String] {
      [diff.description, digest.description, String(input), String(report), origin]
    }

    /// nil unless the words are the ones above.
    package init?(_ words: [String]) {
      guard words.count == 5, let diff = Digest(words[0]), let digest = Digest(words[1]), let input = Int32(words[2]),
        let report = Int32(words[3])
      else { return nil }
      self.init(diff: diff, digest: digest, input: input, report: report, origin: words[4])
    }

    init(diff: Digest, digest: Digest, input: Int32, report: Int32, origin: String) {
      self.diff = diff
      self.digest = digest
      self.input = input
      self.report = report
      self.origin = origin
    }
  }

  private let process: pid_t
  private var reports: FetchReports
  private var last: FetchReport?
  private var isReaped = false

  /// - Parameters:
  ///   - words: name the command, of the program's arguments.
  ///   - digest: of what comes.
  ///   - input: where it comes from. The caller closes it.
  package init(
    _ program: String, _ words: [String], diff: Digest, digest: Digest, origin: String, input: Int32
  ) throws(Errno) {
    let pipe = try Pipe()
    let order = Order(diff: diff, digest: digest, input: input, report: pipe.writer.raw, origin: origin)
    process = try Spawn.start(
      program, (words + order.words).map { Array($0.utf8) }, errors: STDERR_FILENO,
      inherited: [input, pipe.writer.raw], session: false)
    reports = FetchReports(pipe.takeReader())
  }

  deinit { if !isReaped { end() } }

  /// Has something to say when it can be read.
  package var descriptor: Int32 { reports.descriptor }

  package func step() -> Step? {
    guard let report = reports.next() else { return .ended }
    switch report {
    case .progress(let count, of: _): return .read(count)
    case .done, .failed:
      last = report
      return .ended
    case .head, .field: return nil
    }
  }

  /// Waits for its last word.
  ///
  /// - Returns: why there is no pack; nil if there should be one, which the store alone knows.
  package func finish() -> String? {
    while last == nil, step() != .ended {}
    // What is half made it has removed before it says so. One that a layer has taken over may stay.
    let status = end()
    switch last {
    case .done: return nil
    case .failed(.other(let words)): return words
    default:
      return "its decoder ended by " + (status & 0x7f == 0 ? "status \(status >> 8 & 0xff)" : "signal \(status & 0x7f)")
    }
  }

  @discardableResult
  private func end() -> Int32 {
    isReaped = true
    kill(process, SIGKILL)
    var status: Int32 = 0
    while unsafe waitpid(process, &status, 0) < 0, Errno.current == .interrupted {}
    return status
  }
}
