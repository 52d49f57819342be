import Host

/// What `nofetch` says of how it goes: a line each, the last of which is `done` or `failed`.
///
/// To the reader they are hostile: they come from a process that has heard a stranger.
package enum FetchReport: Equatable, Sendable {
  package enum Failure: Error, Equatable, Sendable {
    /// The server's answer was another than the file.
    case status(Int)
    /// No such server, or none that could be reached or trusted.
    case connection(String)
    /// Not the server that it should be, or one that does not speak TLS.
    case untrusted(String)
    /// The server stopped before the end, each time that it was tried.
    case cut(String)
    /// More bytes than were ordered.
    case tooLarge
    /// What came could not be written.
    case write(Errno)
    /// In words for people.
    case other(String)
  }

  /// Bytes so far, of all that will come if the server says how many.
  case progress(UInt64, of: UInt64?)
  /// Of an exchange: the answer's status, before its body.
  case head(Int)
  /// A field of the answer's head, its name in lower case.
  case field(String, String)
  case done
  case failed(Failure)

  /// Bytes of the longest line, its end not counted: less than PIPE_BUF, so that a line is written at once.
  package static let limit = 4000

  /// Without its end.
  package var line: [UInt8] {
    let text =
      switch self {
      case .progress(let count, of: let total): "progress \(count)" + (total.map { " \($0)" } ?? "")
      case .head(let status): "head \(status)"
      case .field(let name, let value): "field \(name) \(value)"
      case .done: "done"
      case .failed(.status(let code)): "failed status \(code)"
      case .failed(.connection(let words)): "failed connection \(words)"
      case .failed(.untrusted(let words)): "failed untrusted \(words)"
      case .failed(.cut(let words)): "failed cut \(words)"
      case .failed(.other(let words)): "failed other \(words)"
      case .failed(.tooLarge): "failed too-large"
      case .failed(.write(let error)): "failed write \(error.code)"
      }
    return text.utf8.prefix(Self.limit).map { $0 == UInt8(ascii: "\n") ? UInt8(ascii: " ") : $0 }
  }

  /// - Parameter line: any bytes; nil if they are no report.
  package init?(line: some Collection<UInt8>) {
    guard line.count <= Self.limit else { return nil }
    let words = String(decoding: line, as: UTF8.self)
      .split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    switch (words[0], words.count) {
    case ("done", 1): self = .done
    case ("progress", 2...3):
      guard let count = UInt64(words[1]) else { return nil }
      guard words.count == 3 else {
        self = .progress(count, of: nil)
        return
      }
      guard let total = UInt64(words[2]) else { return nil }
      self = .progress(count, of: total)
    case ("head", 2):
      guard let status = Int(words[1]) else { return nil }
      self = .head(status)
    case ("field", 3): self = .field(String(words[1]), String(words[2]))
    case ("failed", 2):
      guard words[1] == "too-large" else { return nil }
      self = .failed(.tooLarge)
    case ("failed", 3):
      switch words[1] {
      case "status":
        guard let code = Int(words[2]) else { return nil }
        self = .failed(.status(code))
      case "connection": self = .failed(.connection(String(words[2])))
      case "untrusted": self = .failed(.untrusted(String(words[2])))
      case "other": self = .failed(.other(String(words[2])))
      case "cut": self = .failed(.cut(String(words[2])))
      case "write":
        guard let code = Int32(words[2]) else { return nil }
        self = .failed(.write(Errno(code)))
      default: return nil
      }
    default: return nil
    }
  }
}
