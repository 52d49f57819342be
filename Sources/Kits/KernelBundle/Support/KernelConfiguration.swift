/// A kernel's `.config`, as far as it is asked.
package struct KernelConfiguration {
  private let values: [Substring: Substring]

  package init(text: String) {
    var values: [Substring: Substring] = [:]
    for line in text.split(separator: "\n") where line.hasPrefix("CONFIG_") {
      guard let equals = line.firstIndex(of: "=") else { continue }
      values[line[..<equals]] = line[line.index(after: equals)...]
    }
    self.values = values
  }

  /// The configuration that a kernel with `CONFIG_IKCONFIG` carries: gzip between two marks (kernel/configs.c).
  package init?(inKernel bytes: [UInt8]) {
    let start = Array("IKCFG_ST".utf8)
    let end = Array("IKCFG_ED".utf8)
    guard let from = bytes.firstOffset(of: start).map({ $0 + start.count }),
      let to = bytes.firstOffset(of: end, from: from),
      let text = try? Compression.gzip.decompress(bytes, from..<to, limit: 16 << 20)
    else { return nil }
    self.init(text: String(decoding: text, as: UTF8.self))
  }

  /// Guards against taking any file for a configuration.
  package var isKernelConfiguration: Bool { values["CONFIG_X86"] != nil || values["CONFIG_X86_64"] != nil }

  package func isBuiltIn(_ option: String) -> Bool { values[Substring(option)] == "y" }
  package func isModule(_ option: String) -> Bool { values[Substring(option)] == "m" }
}
