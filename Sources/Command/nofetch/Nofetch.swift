import Download
import Glibc
import Host

/// Fetches one file by HTTP for `novm`, by libcurl: with its proxies (`https_proxy`) and the system's certificates.
///
/// A program of its own, since what reads a server's answers should share no memory with what keeps the store, and since
/// libcurl brings three dozen libraries, which no other command of `novm` has a use for.
@main
struct Nofetch {
  static func main() {
    guard let order = FetchOrder(ProcessArguments.words) else {
      let line = Array("nofetch: a part of novm, which fetches files by it; see: novm pack import --help\n".utf8)
      _ = unsafe line.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
      exit(2)
    }
    // For libcurl's sockets too, to which it leaves that (CURLOPT_NOSIGNAL(3)).
    signal(SIGPIPE, SIG_IGN)
    let reports = ReportWriter(order.report)
    do throws(Errno) { try FetchConfinement.apply() } catch {
      reports.send(.failed(.connection("nofetch cannot be confined: \(error.description)")))
      exit(1)
    }
    do throws(FetchReport.Failure) {
      try fetch(order, reports)
      reports.send(.done)
    } catch {
      reports.send(.failed(error))
      exit(1)
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
