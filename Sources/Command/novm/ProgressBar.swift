/// How much of something is done.
enum ProgressBar {
  enum Unit { case bytes, files }

  /// `reading [######    ] 60 %, 12.0 MiB of 20.0 MiB`, or without a known end `reading 12.0 MiB`.
  static func text(_ doing: String, _ done: UInt64, of total: UInt64?, unit: Unit = .bytes) -> String {
    func amount(_ count: UInt64) -> String { unit == .bytes ? ByteCount.text(count) : String(count) }
    let unitName = unit == .files ? " files" : ""
    guard let total, total > 0 else { return "\(doing) \(amount(done))\(unitName)" }
    let part = min(1, Double(done) / Double(total))
    let filled = Int(part * Double(width))
    let bar = String(repeating: "#", count: filled) + String(repeating: " ", count: width - filled)
    return "\(doing) [\(bar)] \(Int(part * 100)) %, \(amount(done)) of \(amount(total))\(unitName)"
  }

  private static let width = 24
}
