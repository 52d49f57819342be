/// Archives by hand.
struct TarBuilder {
  private(set) var bytes: [UInt8] = []

  private func octal(_ value: Int, _ width: Int) -> [UInt8] {
    let digits = Array(String(value, radix: 8).utf8)
    return [UInt8](repeating: 48, count: width - 1 - digits.count) + digits + [0]
  }

  mutating func add(
    _ name: String, type: Character = "0", data: [UInt8] = [], target: String = "", mode: Int = 0o644, size: Int? = nil
  ) {
    func field(_ text: [UInt8], _ width: Int) -> [UInt8] {
      Array(text.prefix(width)) + [UInt8](repeating: 0, count: max(width - text.count, 0))
    }
    var header = field(Array(name.utf8), 100) + octal(mode, 8) + octal(7, 8) + octal(8, 8)
    header += octal(size ?? data.count, 12) + octal(1_000_000, 12) + [UInt8](repeating: 32, count: 8)
    header += [type.asciiValue ?? 0] + field(Array(target.utf8), 100)
    // A kind of zero is that of archives before POSIX.
    header += type == "\0" ? [UInt8](repeating: 0, count: 8) : Array("ustar\0".utf8) + Array("00".utf8)
    header = field(header, 329) + octal(4, 8) + octal(5, 8)
    header = field(header, 512)
    let sum = header.reduce(0) { $0 + Int($1) }
    header.replaceSubrange(148..<156, with: octal(sum, 7) + [32])
    bytes += header + data + [UInt8](repeating: 0, count: -data.count & 511)
  }

  /// A header of pax for the next entry.
  mutating func extend(_ records: [(String, String)]) {
    var text: [UInt8] = []
    for (key, value) in records {
      let rest = " \(key)=\(value)\n"
      var length = rest.utf8.count + 1
      while "\(length)\(rest)".utf8.count != length { length += 1 }
      text += Array("\(length)\(rest)".utf8)
    }
    add("PaxHeaders/x", type: "x", data: text)
  }

  mutating func finish() { bytes += [UInt8](repeating: 0, count: 1024) }
}
