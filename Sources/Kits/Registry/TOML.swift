/// What configuration files in TOML 1.0 say, as far as `registries.conf` needs it: no dates, numbers as text, no strings of
/// several lines.
package indirect enum TOML: Equatable, Sendable {
  case text(String)
  case flag(Bool)
  case list([TOML])
  case table([String: TOML])

  /// nil unless it follows the format.
  package init?(_ bytes: [UInt8]) {
    var parser = Parser(bytes)
    guard bytes.count <= 1 << 20, let table = parser.document() else { return nil }
    self = .table(table)
  }

  package subscript(name: String) -> TOML? {
    guard case .table(let entries) = self else { return nil }
    return entries[name]
  }

  package var string: String? {
    guard case .text(let text) = self else { return nil }
    return text
  }

  package var isTrue: Bool { self == .flag(true) }

  package var items: [TOML] {
    guard case .list(let items) = self else { return [] }
    return items
  }

  package var entries: [String: TOML] {
    guard case .table(let entries) = self else { return [:] }
    return entries
  }

  /// Puts a value where a path leads, in the last element of each list on it.
  fileprivate mutating func put(_ value: TOML, at path: ArraySlice<String>, appends: Bool) -> Bool {
    guard let name = path.first else { return false }
    switch self {
    case .list(var items):
      guard var last = items.popLast(), last.put(value, at: path, appends: appends) else { return false }
      self = .list(items + [last])
      return true
    case .table(var entries):
      let rest = path.dropFirst()
      if rest.isEmpty {
        if appends {
          guard case .list(let items) = entries[name] ?? .list([]) else { return false }
          entries[name] = .list(items + [value])
        } else if case .table(let known)? = entries[name], case .table(let new) = value, new.isEmpty {
          entries[name] = .table(known)
        } else if entries[name] == nil {
          entries[name] = value
        } else {
          return false
        }
      } else {
        var inner = entries[name] ?? .table([:])
        guard inner.put(value, at: rest, appends: appends) else { return false }
        entries[name] = inner
      }
      self = .table(entries)
      return true
    case .text, .flag: return false
    }
  }

  private struct Parser {
    private let bytes: [UInt8]
    private var place = 0
    private static let deepest = 16

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

    mutating func document() -> [String: TOML]? {
      var root = TOML.table([:])
      var table: [String] = []
      while true {
        skip(lines: true)
        guard let byte = next else { break }
        if byte == UInt8(ascii: "[") {
          place += 1
          let isList = take("[")
          skip(lines: false)
          guard let path = key(), take("]"), !isList || take("]") else { return nil }
          guard root.put(.table([:]), at: path[...], appends: isList) else { return nil }
          table = path
        } else {
          guard let path = key(), take("="), let value = value(depth: 0),
            root.put(value, at: (table + path)[...], appends: false)
          else { return nil }
        }
        skip(lines: false)
        guard next == nil || next == UInt8(ascii: "\n") || next == UInt8(ascii: "\r") else { return nil }
      }
      return root.entries
    }

    private mutating func skip(lines: Bool) {
      while let byte = next {
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "\t"): place += 1
        case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
          guard lines else { return }
          place += 1
        case UInt8(ascii: "#"): while let byte = next, byte != UInt8(ascii: "\n") { place += 1 }
        default: return
        }
      }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
      skip(lines: false)
      guard next == UInt8(ascii: character) else { return false }
      place += 1
      return true
    }

    /// Names with dots between them.
    private mutating func key() -> [String]? {
      var path: [String] = []
      repeat {
        skip(lines: false)
        if let quoted = quoted() {
          path.append(quoted)
        } else {
          let start = place
          while let byte = next, Self.isBare(byte) { place += 1 }
          guard place > start else { return nil }
          path.append(String(decoding: bytes[start..<place], as: UTF8.self))
        }
        guard path.count <= Self.deepest else { return nil }
      } while take(".")
      return path
    }

    private static func isBare(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"):
        true
      default: false
      }
    }

    private mutating func quoted() -> String? {
      guard let quote = next, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else { return nil }
      let start = place
      var text: [UInt8] = []
      place += 1
      while let byte = next, byte != UInt8(ascii: "\n") {
        place += 1
        if byte == quote { return String(decoding: text, as: UTF8.self) }
        if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
          guard let escaped = next else { break }
          place += 1
          switch escaped {
          case UInt8(ascii: "n"): text.append(UInt8(ascii: "\n"))
          case UInt8(ascii: "t"): text.append(UInt8(ascii: "\t"))
          case UInt8(ascii: "\""), UInt8(ascii: "\\"): text.append(escaped)
          default:
            place = start
            return nil
          }
        } else {
          text.append(byte)
        }
      }
      place = start
      return nil
    }

    private mutating func value(depth: Int) -> TOML? {
      guard depth < Self.deepest else { return nil }
      skip(lines: false)
      if let text = quoted() { return .text(text) }
      if take("[") { return list(depth) }
      if take("{") { return table(depth) }
      let start = place
      while let byte = next, Self.isBare(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":") { place += 1 }
      switch String(decoding: bytes[start..<place], as: UTF8.self) {
      case "": return nil
      case "true": return .flag(true)
      case "false": return .flag(false)
      case let word: return .text(word)
      }
    }

    private mutating func list(_ depth: Int) -> TOML? {
      var items: [TOML] = []
      while true {
        skip(lines: true)
        if take("]") { return .list(items) }
        guard let item = value(depth: depth + 1) else { return nil }
        items.append(item)
        skip(lines: true)
        if take(",") { continue }
        return take("]") ? .list(items) : nil
      }
    }

    private mutating func table(_ depth: Int) -> TOML? {
      var table = TOML.table([:])
      if take("}") { return table }
      repeat {
        guard let path = key(), take("="), let value = value(depth: depth + 1),
          table.put(value, at: path[...], appends: false)
        else { return nil }
      } while take(",")
      return take("}") ? table : nil
    }
  }
}
