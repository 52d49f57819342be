import Glibc
import Host

/// Tells whoever ordered the file how it goes.
package final class ReportWriter {
  private static let interval: UInt64 = 100_000_000

  private let pipe: Int32
  private var last: (report: FetchReport, time: UInt64)?

  package init(_ pipe: Int32) { self.pipe = pipe }

  /// Says how far it is: at most ten times a second, and once it is all.
  package func progress(_ count: UInt64, of total: UInt64?) {
    let report = FetchReport.progress(count, of: total)
    let now = Timer.now
    if let last, last.report == report || count != total && now - last.time < Self.interval { return }
    last = (report, now)
    send(report)
  }

  package func send(_ report: FetchReport) {
    let line = report.line + [UInt8(ascii: "\n")]
    // Less than PIPE_BUF: all or nothing. Who does not listen any more is found out by `isAbandoned`.
    while unsafe line.withUnsafeBytes({ unsafe write(pipe, $0.baseAddress, $0.count) }) < 0,
      Errno.current == .interrupted
    {}
  }

  /// Whether nobody reads this any more.
  package var isAbandoned: Bool { isAbandoned(within: 0) }

  /// Waits for so many milliseconds, or until nobody reads this any more.
  package func isAbandoned(within milliseconds: Int32) -> Bool {
    // A pipe without a reader has an error, which needs no asking for (poll(2)).
    var state = pollfd(fd: pipe, events: 0, revents: 0)
    return unsafe poll(&state, 1, milliseconds) > 0
  }
}
