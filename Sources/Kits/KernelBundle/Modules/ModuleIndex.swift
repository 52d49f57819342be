/// An index file of kmod (libkmod/libkmod-index.h of kmod): a trie from ASCII keys to values with priorities. All numbers
/// are big-endian.
///
///     file:  magic, version, offset of the root node
///     node:  prefix NUL                                  if flagged
///            first, last, offset[last - first + 1]       if flagged; 0 for no child
///            count, (priority, value NUL)[count]         if flagged
///
/// An offset carries the node's flags in its upper four bits.
struct ModuleIndex {
  private struct Value {
    var priority: UInt32
    var text: String
  }

  private var entries: [[UInt8]: [Value]] = [:]

  private static let magic: UInt32 = 0xB007_F457
  private static let version: UInt32 = 0x0002_0001
  private static let prefixFlag: UInt32 = 0x8000_0000
  private static let valuesFlag: UInt32 = 0x4000_0000
  private static let childrenFlag: UInt32 = 0x2000_0000
  private static let offsetLimit = 0x1000_0000

  /// Adds a value; a key that is not ASCII cannot be looked up and is left out.
  mutating func add(_ key: String, _ value: String, priority: Int) {
    guard key.utf8.allSatisfy({ $0 != 0 && $0 < 128 }) else { return }
    entries[Array(key.utf8), default: []].append(Value(priority: UInt32(clamping: priority), text: value))
  }

  /// The file's bytes; nil beyond the 256 MiB that its offsets reach.
  func encoded() -> [UInt8]? {
    let sorted = entries.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { entry in
      var seen: Set<String> = []
      let values = entry.value.sorted { $0.priority < $1.priority }.filter { seen.insert($0.text).inserted }
      return (key: entry.key, values: values)
    }
    var writer = Writer(entries: sorted)
    writer.put(Self.magic)
    writer.put(Self.version)
    writer.put(0)
    let root = writer.node(sorted.indices, depth: 0)
    writer.patch(root, at: 8)
    return writer.bytes.count < Self.offsetLimit ? writer.bytes : nil
  }

  private struct Writer {
    let entries: [(key: [UInt8], values: [Value])]
    var bytes: [UInt8] = []

    init(entries: [(key: [UInt8], values: [Value])]) { self.entries = entries }

    mutating func put(_ number: UInt32) {
      bytes.append(contentsOf: [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) })
    }

    mutating func put(_ text: some Sequence<UInt8>) {
      bytes.append(contentsOf: text)
      bytes.append(0)
    }

    mutating func patch(_ number: UInt32, at offset: Int) {
      for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: number >> (24 - 8 * index)) }
    }

    /// Writes the node of those entries, which agree in their first `depth` bytes, after all nodes below it.
    mutating func node(_ range: Range<Int>, depth: Int) -> UInt32 {
      guard let first = range.first, let last = range.last else {
        // An index of nothing: a node that has nothing.
        return UInt32(bytes.count)
      }
      // As the keys are sorted, what the outermost two share all share.
      let shared = zip(entries[first].key[depth...], entries[last].key[depth...]).prefix { $0 == $1 }.count
      let end = depth + shared
      let values = entries[first].key.count == end ? entries[first].values : []
      var children: [(byte: UInt8, offset: UInt32)] = []
      var start = values.isEmpty ? first : first + 1
      while start < range.upperBound {
        let byte = entries[start].key[end]
        let next = entries[start..<range.upperBound].firstIndex { $0.key[end] != byte } ?? range.upperBound
        children.append((byte, node(start..<next, depth: end + 1)))
        start = next
      }

      var offset = UInt32(truncatingIfNeeded: bytes.count)
      if shared > 0 {
        offset |= ModuleIndex.prefixFlag
        put(entries[first].key[depth..<end])
      }
      if let lowest = children.first?.byte, let highest = children.last?.byte {
        offset |= ModuleIndex.childrenFlag
        bytes += [lowest, highest]
        var remaining = children[...]
        for byte in lowest...highest {
          put(remaining.first?.byte == byte ? remaining.removeFirst().offset : 0)
        }
      }
      if !values.isEmpty {
        offset |= ModuleIndex.valuesFlag
        put(UInt32(values.count))
        for value in values {
          put(value.priority)
          put(value.text.utf8)
        }
      }
      return offset
    }
  }
}
