/// The NUMA nodes of a machine, which have all of its memory and processors, each once.
package struct NUMALayout: Equatable, Sendable {
  package struct Node: Equatable, Sendable {
    /// MiB.
    package var memory: Int
    package var processors: [Int]
  }

  package let nodes: [Node]
  /// From each node, which is a row, to each.
  package let distances: [[UInt8]]

  /// Debian's kernels for the cloud have numbers for no more (CONFIG_NODES_SHIFT).
  package static let mostNodes = 64
  /// Linux leaves out nodes that have less (NODE_MIN_SIZE), in MiB; one with processors may have none at all.
  package static let leastMemory = 4

  /// What keeps nodes from being a machine's.
  package enum Fault: Error, Equatable, Sendable {
    case tooMany(Int)
    /// The nodes' memory and the machine's, in MiB.
    case memory(Int, ofMachine: Int)
    case littleMemory(node: Int)
    case unknownProcessor(Int, count: Int)
    case repeatedProcessor(Int)
    case processorLeft(Int)
    case unknownNode(Int, count: Int)
    case repeatedDistance(Int, Int)
  }

  /// Nodes with no processors named share all of them, one after another; where any names some, each processor must be in one.
  ///
  /// - Parameters:
  ///   - memory: the machine's, in MiB.
  ///   - processors: how many the machine has.
  ///   - distances: where but one way is told, the other is as far.
  package init(
    _ nodes: [NUMANode], _ distances: [NUMADistance] = [], memory: Int, processors count: Int
  ) throws(Fault) {
    guard nodes.count <= Self.mostNodes else { throw .tooMany(nodes.count) }
    let sum = nodes.reduce(0) { $0 + $1.memory }  // Of 64 numbers with six digits.
    guard sum == memory else { throw .memory(sum, ofMachine: memory) }
    var owners = [Int?](repeating: nil, count: count)
    if nodes.allSatisfy({ $0.processors.isEmpty }) {
      for processor in 0..<count { owners[processor] = processor * nodes.count / count }
    }
    for (number, node) in nodes.enumerated() {
      for range in node.processors {
        guard range.upperBound < count else { throw .unknownProcessor(range.upperBound, count: count) }
        for processor in range {
          guard owners[processor] == nil else { throw .repeatedProcessor(processor) }
          owners[processor] = number
        }
      }
    }
    var placed = nodes.map { Node(memory: $0.memory, processors: []) }
    for (processor, owner) in owners.enumerated() {
      guard let owner else { throw .processorLeft(processor) }
      placed[owner].processors.append(processor)
    }
    for (number, node) in placed.enumerated() where node.memory < Self.leastMemory {
      guard node.memory == 0, !node.processors.isEmpty else { throw .littleMemory(node: number) }
    }
    self.nodes = placed
    self.distances = try Self.matrix(distances, nodes.count)
  }

  private static func matrix(_ distances: [NUMADistance], _ count: Int) throws(Fault) -> [[UInt8]] {
    var told = [[UInt8]](repeating: [UInt8](repeating: 0, count: count), count: count)
    for distance in distances {
      for node in [distance.source, distance.target] where node >= count {
        throw .unknownNode(node, count: count)
      }
      guard told[distance.source][distance.target] == 0 else {
        throw .repeatedDistance(distance.source, distance.target)
      }
      told[distance.source][distance.target] = distance.value
    }
    var matrix = told
    for source in 0..<count {
      for target in 0..<count where told[source][target] == 0 {
        let back = told[target][source]
        matrix[source][target] = source == target ? NUMADistance.itself : back == 0 ? NUMADistance.usual : back
      }
    }
    return matrix
  }

  /// How as many processors lie where nobody says: in sockets that are each of one node, as Linux expects of processors that
  /// share a cache, and as few of them as there can be.
  package var topology: ProcessorTopology? {
    let count = nodes.reduce(0) { $0 + $1.processors.count }
    var owners = [Int](repeating: 0, count: count)
    for (number, node) in nodes.enumerated() {
      for processor in node.processors { owners[processor] = number }
    }
    for cores in (1...max(1, count)).reversed() where count % cores == 0 {
      let isWhole = (0..<count).allSatisfy { owners[$0] == owners[$0 / cores * cores] }
      if isWhole, let topology = ProcessorTopology(Array("\(count),cores=\(cores)".utf8)) { return topology }
    }
    return nil
  }

  /// Up to six digits.
  static func number(_ text: ArraySlice<UInt8>) -> Int? {
    guard (1...6).contains(text.count) else { return nil }
    var value = 0
    for byte in text {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      value = 10 * value + Int(byte - UInt8(ascii: "0"))
    }
    return value
  }
}

extension NUMALayout.Fault {
  /// What to say behind the option's name.
  package var words: String {
    switch self {
    case .tooMany(let count): "\(count) nodes are more than the \(NUMALayout.mostNodes) that a machine can have"
    case .memory(let sum, let machine):
      "the nodes have \(sum) MiB of memory and the machine \(machine) MiB; give as much in each, or leave out --memory"
    case .littleMemory(let node):
      "node \(node) has less than \(NUMALayout.leastMemory) MiB of memory; give it more, or processors and 0"
    case .unknownProcessor(let processor, let count):
      "there is no CPU \(processor) of \(count); they count from 0, and --cpus says how many there are"
    case .repeatedProcessor(let processor): "CPU \(processor) is in two nodes; leave it out of one"
    case .processorLeft(let processor): "CPU \(processor) is in no node; give it to one with cpus=\(processor)"
    case .unknownNode(let node, let count):
      "there is no node \(node) of \(count) for a distance; they count from 0, in the order of --numa"
    case .repeatedDistance(let source, let target): "the distance of \(source),\(target) is told twice; leave one out"
    }
  }
}
