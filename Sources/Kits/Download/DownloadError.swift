import Host

/// Why something was not fetched.
package enum DownloadError: Error, Equatable, Sendable {
  /// Not an http or https address.
  case badAddress(String)
  /// The server's answer was another than the file.
  case status(Int, address: String)
  /// No such server, or none that could be reached or trusted; the library's words.
  case connection(address: String, String)
  /// Not the server that it should be, or one that does not speak TLS; the library's words.
  case untrusted(address: String, String)
  /// The server stopped before the end, each time that it was tried.
  case cut(address: String, String)
  /// More bytes than there is room for.
  case tooLarge(address: String, limit: UInt64)
  /// What came could not be written.
  case write(Errno)
  /// The program that fetches could not be run.
  case program(String, Errno)
  /// It ended, or broke off its report, before it had said how it went; its status as waitpid(2) has it.
  case ended(String, status: Int32)
}

extension DownloadError {
  init(_ failure: FetchReport.Failure, address: String, limit: UInt64) {
    switch failure {
    case .status(let code): self = .status(code, address: address)
    case .connection(let words), .other(let words): self = .connection(address: address, words)
    case .untrusted(let words): self = .untrusted(address: address, words)
    case .cut(let words): self = .cut(address: address, words)
    case .tooLarge: self = .tooLarge(address: address, limit: limit)
    case .write(let error): self = .write(error)
    }
  }
}
