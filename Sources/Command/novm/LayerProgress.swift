import Glibc
import NovmKit
import Registry

/// Who is told how an image comes.
protocol PullAudience: AnyObject {
  /// Something for a person.
  func say(_ line: String)
  /// The layers of what follows; sizes in bytes.
  func begin(_ layers: [(name: String, size: UInt64)])
  /// - Parameter place: of a layer, from 0.
  func take(_ place: Int, _ event: LayerPull.Event)
  func end()
}

/// How the layers of an image come: on a terminal a bar for each that is on its way, elsewhere a line for each that has come.
final class LayerProgress: PullAudience {
  private var layers: [(name: String, size: UInt64)] = []
  private let isQuiet: Bool
  private var shown: [Int: String] = [:]
  private var lines = 0

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  func say(_ line: String) {
    if !isQuiet { StandardError.write("novm: \(ByteString.printable(line))\n") }
  }

  func begin(_ layers: [(name: String, size: UInt64)]) { self.layers = layers }

  func take(_ place: Int, _ event: LayerPull.Event) {
    guard !isQuiet else { return }
    let layer = layers[place]
    switch event {
    case .known: finish(place, "\(layer.name) is here")
    case .done: finish(place, "\(layer.name) \(ByteCount.text(layer.size))")
    case .waiting: show(place, "\(layer.name) waiting for another command")
    case .read(let count): show(place, ProgressBar.text(layer.name, count, of: layer.size))
    }
  }

  /// Leaves what is done.
  func end() {
    clear()
    shown = [:]
  }

  private func finish(_ place: Int, _ text: String) {
    clear()
    shown[place] = nil
    StandardError.write(text + "\n")
    draw()
  }

  private func show(_ place: Int, _ text: String) {
    guard StandardError.isTerminal else { return }
    clear()
    shown[place] = text
    draw()
  }

  private func clear() {
    // Up, and all from there on.
    if lines > 0 { StandardError.write("\u{1B}[\(lines)A\u{1B}[J") }
    lines = 0
  }

  private func draw() {
    let width = Terminal.windowSize().map { Int($0.columns) } ?? 80
    let texts = shown.sorted { $0.key < $1.key }.map { String($0.value.prefix(max(1, width - 1))) }
    if !texts.isEmpty { StandardError.write(texts.map { $0 + "\n" }.joined()) }
    lines = texts.count
  }
}
