import Glibc
import Host

/// An exchange that goes on, in a process that ends with this value.
package final class RunningExchange {
  private let exchange: Exchange
  private let program: String
  private let process: pid_t
  private var reports: FetchReports
  private var answer: Exchange.Answer?
  private var last: FetchReport?
  private var hasSaidAll = false
  private var isReaped = false

  /// - Parameter body: where what comes goes: a pipe or file, which is closed once all has come.
  /// - Throws: EINVAL for one that says something else in the order, or in the request, than it is meant to.
  package init(_ exchange: Exchange, by program: String, body: Int32) throws(Errno) {
    guard exchange.canBeSaid else { throw Errno(EINVAL) }
    self.exchange = exchange
    self.program = program
    let pipe = try Pipe()
    // Not among its arguments, which everybody on the host can read.
    let secret = try Pipe()
    let contents = ExchangeOrder.contents(of: exchange)
    let order = ExchangeOrder(exchange, order: secret.reader.raw, answer: body, report: pipe.writer.raw)
    var inherited = [secret.reader.raw, body, pipe.writer.raw]
    if case .file(let number, _) = exchange.content { inherited.append(number) }
    process = try Spawn.start(program, order.words, errors: STDERR_FILENO, inherited: inherited, session: false)
    reports = FetchReports(pipe.takeReader())
    // Once somebody reads: a pipe may have room for a page only (pipe(7), pipe-user-pages-soft).
    try OrderPipe.write(contents, secret)
  }

  deinit { end() }

  /// Has something to say when it can be read.
  package var descriptor: Int32 { reports.descriptor }

  package var hasNews: Bool {
    var state = pollfd(fd: reports.descriptor, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&state, 1, 0) > 0
  }

  /// Takes what it said, without waiting if there is something; false once that was all.
  package func step() -> Bool {
    // Nothing is read behind the last word: who says it and stays is not waited for.
    guard !hasSaidAll, let report = reports.next() else {
      hasSaidAll = true
      return false
    }
    last = report
    switch report {
    case .head(let status): answer = Exchange.Answer(status: status)
    case .field(let name, let value):
      if let count = answer?.fields.count, count < Self.mostFields { answer?.fields.append(.init(name, value)) }
    case .done, .failed:
      hasSaidAll = true
      return false
    case .progress: break
    }
    return true
  }

  private static let mostFields = 64

  /// Waits for its end.
  ///
  /// - Returns: the answer without its body.
  package func finish() throws(DownloadError) -> Exchange.Answer {
    while step() {}
    let status = end()
    let address = Download.shown(exchange.address)
    switch last {
    case .done:
      guard let answer else { throw .ended(program, status: status) }
      return answer
    case .failed(let failure): throw DownloadError(failure, address: address, limit: exchange.limit)
    case .progress, .head, .field, nil: throw .ended(program, status: status)
    }
  }

  /// Ends it.
  @discardableResult
  package func end() -> Int32 {
    guard !isReaped else { return 0 }
    isReaped = true
    kill(process, SIGKILL)
    var status: Int32 = 0
    while unsafe waitpid(process, &status, 0) < 0, Errno.current == .interrupted {}
    return status
  }
}
