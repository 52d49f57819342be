/// The command line of `nofetch`: what it is to fetch, and the descriptors that it finds open.
package struct FetchOrder: Equatable, Sendable {
  package let download: Download
  /// Where the download's address is read from.
  package let address: Int32
  /// What comes is written here, from the file's start on.
  package let file: Int32
  /// What it says goes here (``FetchReport``).
  package let report: Int32

  package init(_ download: Download, address: Int32, file: Int32, report: Int32) {
    self.download = download
    self.address = address
    self.file = file
    self.report = report
  }

  package var words: [[UInt8]] {
    let numbers = [
      "--address=fd:\(address)", "--file=fd:\(file)", "--report=fd:\(report)", "--limit=\(download.limit)",
      "--attempts=\(download.attempts)",
      "--pause=\(download.pause)", "--silence=\(download.silence)",
    ]
    return (numbers + (download.resumes ? ["--resume"] : [])).map { Array($0.utf8) }
  }

  /// - Parameters:
  ///   - words: without the program's name; nil unless they are the ones above.
  ///   - read: reads a descriptor to its end.
  package init?(_ words: [[UInt8]], read: (Int32) -> [UInt8]) {
    let texts = words.map { String(decoding: $0, as: UTF8.self) }
    guard let address = texts.first.flatMap({ Self.descriptor($0.dropFirst("--address=".count)) }),
      texts[0].hasPrefix("--address="),
      var download = try? Download(String(decoding: read(address), as: UTF8.self), limit: 0)
    else { return nil }
    var (file, report): (Int32?, Int32?)
    for text in texts.dropFirst() {
      let parts = text.split(separator: "=", maxSplits: 1)
      let value = parts.count == 2 ? parts[1] : ""
      switch parts.first {
      case "--file": file = Self.descriptor(value)
      case "--report": report = Self.descriptor(value)
      case "--limit": download.limit = UInt64(value) ?? 0
      case "--attempts": download.attempts = Int(value) ?? 1
      case "--pause": download.pause = UInt32(value) ?? 0
      case "--silence": download.silence = Int(value) ?? 0
      case "--resume": download.resumes = true
      default: return nil
      }
    }
    guard let file, let report else { return nil }
    self.init(download, address: address, file: file, report: report)
  }

  private static func descriptor(_ text: Substring) -> Int32? {
    text.hasPrefix("fd:") ? Int32(text.dropFirst(3)) : nil
  }
}
