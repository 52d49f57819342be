import Glibc
import KernelBundle

/// One line at the bottom of a terminal that says what goes on; nothing where stderr is no terminal.
final class ProgressLine {
  private var isShown = false

  func show(_ text: String) {
    guard StandardError.isTerminal else { return }
    StandardError.write("\r\u{1B}[K\(text)")
    isShown = true
  }

  func clear() {
    if isShown { StandardError.write("\r\u{1B}[K") }
    isShown = false
  }
}
