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

extension ImportProgress {
  var text: String {
    switch self {
    case .waitingForLock: "waiting for another import…"
    case .downloading(let package): "downloading \(package)…"
    case .unpacking(let package, let files): "unpacking \(package): \(files) files"
    case .reading(let bytes): ProgressBar.text("reading", bytes, of: nil)
    case .decompressing(let path): "decompressing \(path)…"
    case .resolvingModules: "resolving modules…"
    case .copyingModules(let files): "copying modules: \(files) files"
    case .indexingModules(let done, let total): "indexing modules: \(done) of \(total)"
    }
  }
}
