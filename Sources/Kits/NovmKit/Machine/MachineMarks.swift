import Glibc
import Host

/// Reads the points of time that `novmm` reports under `--timings`: lines of a name and nanoseconds of CLOCK_MONOTONIC.
package final class MachineMarks: PollSource {
  private let pipe: Pipe
  private var partialLine: [UInt8] = []
  private let timings: Timings
  /// Whether its processors run, or are about to: it can be connected to.
  private(set) var hasBegun = false

  package init(into timings: Timings) throws(NovmError) {
    self.timings = timings
    pipe = try Program.pipe()
    do { try pipe.reader.setNonblocking() } catch { throw .call("fcntl", error) }
  }

  /// For novmm to write to.
  package var writer: Int32 { pipe.writer.raw }

  package var interest: PollInterest? { PollInterest(pipe.reader.raw, POLLIN) }

  package func ready(_ events: Int32) throws(NovmError) {
    var bytes: [UInt8] = []
    switch InputChunk.read(pipe.reader.raw, into: &bytes, limit: 4096) {
    case .none, .end: return
    case .bytes:
      for byte in bytes {
        guard byte == UInt8(ascii: "\n") else {
          partialLine.append(byte)
          continue
        }
        let words = String(decoding: partialLine, as: UTF8.self).split(separator: " ")
        if words.count == 2, let time = UInt64(words[1]) {
          if words[0] == "first-entry" { hasBegun = true }
          timings.mark("novmm.\(words[0])", at: MonotonicTime(nanoseconds: time))
        }
        partialLine = []
      }
    }
  }
}
