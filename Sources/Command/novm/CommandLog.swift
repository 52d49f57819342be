import Logging

/// Messages of `--verbose`, in the form of all that novm says.
enum CommandLog {
  static func logger(verbose: Bool) -> Logger {
    var logger = Logger(label: "novm") { _ in Handler() }
    logger.logLevel = verbose ? .debug : .warning
    return logger
  }

  private struct Handler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { StandardError.write("novm: \(event.message)\n") }
  }
}
