import Host

/// How much a write map may hold.
package struct WriteLimit: Equatable, Sendable, CustomStringConvertible {
  /// What its files may take on the host, in bytes.
  package var bytes: UInt64
  /// Names that it may have, of files, directories and all else; nil for as many as the host takes.
  package var files: UInt64?

  package init(bytes: UInt64, files: UInt64? = nil) {
    self.bytes = bytes
    self.files = files
  }

  package static let mend = "give bytes, from 1M on, and how many files if you like: 500M, 10G, 2G,files=100000"

  /// Parses `SIZE[,files=N]`, SIZE perhaps with K, M, G or T; nil for anything else.
  package init?(_ text: String) {
    let words = text.split(separator: ",", omittingEmptySubsequences: false)
    guard words.count <= 2, let bytes = Quantity.parse(String(words[0]), in: 1 << 20...1 << 60) else { return nil }
    self.init(bytes: UInt64(bytes))
    guard words.count == 2 else { return }
    let name = "files="
    guard words[1].hasPrefix(name), let files = Quantity.parse(String(words[1].dropFirst(name.count)), in: 1...1 << 40)
    else { return nil }
    self.files = UInt64(files)
  }

  package var description: String { "\(bytes)" + (files.map { ",files=\($0)" } ?? "") }
}
