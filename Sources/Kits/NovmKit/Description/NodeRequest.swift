import Boot

/// The NUMA nodes that a user asks for.
package struct NodeRequest: Equatable, Sendable {
  private let nodes: [NUMANode]
  private let distances: [NUMADistance]
  package let layout: NUMALayout

  /// As novmm takes them.
  var arguments: [(name: String, value: String)] {
    nodes.map { ("--numa", $0.description) } + distances.map { ("--numa-distance", $0.description) }
  }

  /// - Returns: nil where none is asked for.
  init?(
    _ nodes: [String], _ distances: [String], _ memory: MemorySize, _ processors: ProcessorTopology
  ) throws(NovmError) {
    guard !nodes.isEmpty else {
      if !distances.isEmpty { throw .distanceWithoutNodes }
      return nil
    }
    var parsed: [NUMANode] = []
    for text in nodes { parsed.append(try Self.node(text)) }
    var between: [NUMADistance] = []
    for text in distances {
      guard let distance = NUMADistance(Array(text.utf8)) else { throw .distance(text) }
      between.append(distance)
    }
    do {
      layout = try NUMALayout(parsed, between, memory: memory.mebibytes, processors: processors.count)
    } catch {
      throw .nodes(error)
    }
    self.nodes = parsed
    self.distances = between
  }

  /// What all nodes have together.
  static func memory(_ nodes: [String]) throws(NovmError) -> MemorySize {
    var sum = 0
    // Each is a number of six digits.
    for text in nodes { sum += try node(text).memory }
    return MemorySize(mebibytes: sum)
  }

  /// `SIZE[,cpus=FIRST[-LAST]]...`, the size as of `--memory`.
  private static func node(_ text: String) throws(NovmError) -> NUMANode {
    let comma = text.firstIndex(of: ",") ?? text.endIndex
    guard let size = MemorySize(String(text[..<comma])),
      let node = NUMANode(Array("\(size.mebibytes)\(text[comma...])".utf8))
    else { throw .node(text) }
    return node
  }
}
