import Glibc
import Host

/// Fetches a file by HTTP, by a process of its own: the program `nofetch`, which alone reads what a server says.
///
/// A server that fails, goes silent or cuts the connection is tried again, each time after a longer pause.
package struct Download: Equatable, Sendable {
  package let address: String
  /// Bytes that may come.
  package var limit: UInt64
  /// Whether the rest may be asked for where a connection was cut: only for who knows what the whole must be, since the
  /// server may have another file by then.
  package var resumes = false
  package var attempts = 4
  /// Before the second attempt, in milliseconds; twice as long before each further one.
  package var pause: UInt32 = 1000
  /// After so many seconds without a byte a connection counts as cut.
  package var silence = 30

  package init(_ address: String, limit: UInt64) throws(DownloadError) {
    guard Self.isAddress(address), address.utf8.count <= Self.addressLimit else {
      throw .badAddress(Self.shown(address))
    }
    self.address = address
    self.limit = limit
  }

  /// In bytes: more is no server's.
  static let addressLimit = 32 << 10

  /// An address as people and files may see it: without the user and password in it (RFC 3986, 3.2.1).
  package static func shown(_ address: String) -> String {
    guard isAddress(address), let start = address.firstRange(of: "//")?.upperBound else { return address }
    let authority = address[start...].prefix { !"/?#".contains($0) }
    guard let at = authority.lastIndex(of: "@") else { return address }
    return String(address[..<start] + address[address.index(after: at)...])
  }

  package static func isAddress(_ text: String) -> Bool {
    ["http://", "https://"].contains { text.lowercased().hasPrefix($0) }
  }

  /// Whether nobody on the way can change what comes.
  package var isSecure: Bool { address.lowercased().hasPrefix("https://") }

  /// Fetches the file into an open, empty one.
  ///
  /// - Parameters:
  ///   - program: `nofetch`. It ends when the caller does, also by a signal of the terminal, whose process group it is in.
  ///   - progress: called now and then with the bytes so far, and all if the server says how many.
  package func fetch(
    to file: Int32, by program: String, progress: (UInt64, UInt64?) -> Void
  ) throws(DownloadError) {
    let (last, status) = try run(program, file, progress)
    let address = Self.shown(address)
    switch last {
    case .done:
      // What is written is not the program's to say.
      guard UInt64(clamping: lseek(file, 0, SEEK_END)) <= limit else { throw .tooLarge(address: address, limit: limit) }
    case .failed(let failure): throw DownloadError(failure, address: address, limit: limit)
    case .progress, .head, .field, nil: throw .ended(program, status: status)
    }
  }

  /// Runs the program until it has said all.
  ///
  /// - Returns: its last report, and its status as waitpid(2) has it.
  private func run(
    _ program: String, _ file: Int32, _ progress: (UInt64, UInt64?) -> Void
  ) throws(DownloadError) -> (FetchReport?, Int32) {
    do throws(Errno) {
      let pipe = try Pipe()
      // Not among its arguments, which everybody on the host can read.
      let secret = try Pipe()
      let order = FetchOrder(self, address: secret.reader.raw, file: file, report: pipe.writer.raw)
      let process = try Spawn.start(
        program, order.words, errors: STDERR_FILENO, inherited: [secret.reader.raw, file, pipe.writer.raw],
        session: false)
      // Once somebody reads: a pipe may have room for a page only (pipe(7), pipe-user-pages-soft).
      try OrderPipe.write(Array(address.utf8), secret)
      var reports = FetchReports(pipe.takeReader())
      var last: FetchReport?
      while let report = reports.next() {
        last = report
        guard case .progress(let count, let total) = report else { break }
        progress(count, total)
      }
      // Nothing is wanted of it any more, and it may be nobody's to rely on: it does not outlive what it was started for.
      kill(process, SIGKILL)
      var status: Int32 = 0
      try retryingInterrupts { unsafe waitpid(process, &status, 0) }
      return (last, status)
    } catch {
      throw .program(program, error)
    }
  }
}
