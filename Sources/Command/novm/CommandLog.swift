import Logging
import NovmKit

/// What novm says besides its errors, in their form; with `--verbose` what it does.
enum CommandLog {
  static func logger(verbose: Bool) -> Logger {
    var logger = Logger(label: "novm") { _ in Handler() }
    logger.logLevel = verbose ? .debug : .notice
    return logger
  }

  private struct Handler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.notice

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { StandardError.write("novm: \(ByteString.printable("\(event.message)"))\n") }
  }
}
