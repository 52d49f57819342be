import Download
import Glibc
import Host

/// Fetches one file, or has one exchange, by HTTP for `novm`, by libcurl: with its proxies (`https_proxy`) and the system's certificates.
///
/// A program of its own, since what reads a server's answers should share no memory with what keeps the store, and since
/// libcurl brings three dozen libraries, which no other command of `novm` has a use for.
@main
struct Nofetch {
  static func main() {
    let words = ProcessArguments.words
    let exchange = words.count == 3 ? ExchangeOrder(words, read: contents) : nil
    let file = exchange == nil && words.count > 3 ? FetchOrder(words, read: contents) : nil
    guard let report = exchange?.report ?? file?.report else {
      let line = Array("nofetch: a part of novm, which fetches files by it; see: novm pack import --help\n".utf8)
      _ = unsafe line.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
      exit(2)
    }
    // For libcurl's sockets too, to which it leaves that (CURLOPT_NOSIGNAL(3)).
    signal(SIGPIPE, SIG_IGN)
    let reports = ReportWriter(report)
    // As others take it; libcurl does only in small letters, for the sake of CGI.
    if unsafe getenv("http_proxy") == nil, let proxy = unsafe getenv("HTTP_PROXY") {
      unsafe setenv("http_proxy", proxy, 1)
    }
    do throws(Errno) { try FetchConfinement.apply() } catch {
      reports.send(.failed(.connection("nofetch cannot be confined: \(error.description)")))
      exit(1)
    }
    do throws(FetchReport.Failure) {
      if let exchange { try perform(exchange, reports) }
      if let file { try fetch(file, reports) }
      reports.send(.done)
    } catch {
      reports.send(.failed(error))
      exit(1)
    }
  }

  /// Of a pipe that `novm` has written all of.
  private static func contents(_ descriptor: Int32) -> [UInt8] {
    let pipe = FileDescriptor(owning: descriptor)
    var contents: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while let count = try? pipe.read(into: &buffer), count > 0 { contents += buffer[..<count] }
    return contents
  }

  private static func perform(_ order: ExchangeOrder, _ reports: ReportWriter) throws(FetchReport.Failure) {
    let transfer = try ExchangeTransfer(order, reports)
    var attempt = 1
    var count: UInt64 = 0
    while let setback = try transfer.run(isLast: attempt >= order.exchange.attempts) {
      guard attempt < order.exchange.attempts else { throw setback.failure }
      let pause = setback.pause ?? min(UInt64(order.exchange.pause) << UInt64(min(attempt - 1, 16)), 10_000)
      if reports.isAbandoned(within: Int32(clamping: pause)) { throw setback.failure }
      // What comes in large pieces comes in the end.
      attempt = transfer.count - count >= 1 << 20 ? 1 : attempt + 1
      count = transfer.count
    }
  }

  private static func fetch(_ order: FetchOrder, _ reports: ReportWriter) throws(FetchReport.Failure) {
    let transfer = try Transfer(order, reports)
    var attempt = 1
    while let failure = try transfer.run() {
      guard attempt < order.download.attempts else { throw failure }
      let pause = min(UInt64(order.download.pause) << UInt64(min(attempt - 1, 16)), 10_000)
      if reports.isAbandoned(within: Int32(pause)) { throw failure }
      attempt += 1
      if !order.download.resumes { try transfer.startOver() }
    }
  }
}
