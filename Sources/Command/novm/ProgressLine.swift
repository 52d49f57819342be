import Glibc
import KernelBundle

/// One line at the bottom of a terminal that says what goes on; nothing where stderr is no terminal.
final class ProgressLine {
  private var isShown = false
  private let sink: ((String) -> Void)?

  /// - Parameter sink: takes what would be shown in the terminal's place.
  init(to sink: ((String) -> Void)? = nil) { self.sink = sink }

  func show(_ text: String) {
    if let sink { return sink(text) }
    guard StandardError.isTerminal else { return }
    StandardError.write("\r\u{1B}[K\(text)")
    isShown = true
  }

  func clear() {
    if isShown { StandardError.write("\r\u{1B}[K") }
    isShown = false
  }
}
