import CCurl
import Glibc
import Host

/// Fetches a file by HTTP, by libcurl: with its proxies (`https_proxy`) and the system's certificates.
///
/// A server that fails, goes silent or cuts the connection is tried again, each time after a longer pause.
package struct Download: Sendable {
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
    guard Self.isAddress(address) else { throw .badAddress(address) }
    self.address = address
    self.limit = limit
  }

  package static func isAddress(_ text: String) -> Bool {
    ["http://", "https://"].contains { text.lowercased().hasPrefix($0) }
  }

  /// Whether nobody on the way can change what comes.
  package var isSecure: Bool { address.lowercased().hasPrefix("https://") }

  /// Fetches the file into an open, empty one.
  ///
  /// - Parameter progress: called with the bytes so far, and all if the server says how many.
  package func fetch(to file: Int32, progress: @escaping (UInt64, UInt64?) -> Void) throws(DownloadError) {
    let transfer = try Transfer(self, file: file, progress: progress)
    var attempt = 1
    while true {
      guard let failure = try transfer.run() else { return }
      guard attempt < attempts else { throw failure }
      usleep(min(pause << UInt32(attempt - 1), 10_000) * 1000)
      attempt += 1
      if !resumes { try transfer.startOver() }
    }
  }
}
