import Boot
import Testing

struct NUMALayoutTests {
  private func layout(
    _ nodes: [String], _ distances: [String] = [], memory: Int = 1024, processors: Int = 4
  ) throws -> NUMALayout {
    try NUMALayout(
      nodes.map { try #require(NUMANode(Array($0.utf8)), "\($0)") },
      distances.map { try #require(NUMADistance(Array($0.utf8)), "\($0)") }, memory: memory, processors: processors)
  }

  private func fault(
    _ nodes: [String], _ distances: [String] = [], memory: Int = 1024, processors: Int = 4
  ) -> NUMALayout.Fault? {
    #expect(throws: NUMALayout.Fault.self) {
      _ = try layout(nodes, distances, memory: memory, processors: processors)
    }
  }

  @Test func nodesAreParsed() {
    for (text, memory, processors) in [
      ("512", 512, []), ("0,cpus=3", 0, [3...3]), ("262144,cpus=0-3,cpus=8-11", 262_144, [0...3, 8...11]),
    ] as [(String, Int, [ClosedRange<Int>])] {
      let node = NUMANode(Array(text.utf8))
      #expect(node == NUMANode(memory: memory, processors: processors), "\(text)")
      #expect(node.flatMap { NUMANode(Array($0.description.utf8)) } == node)
    }
    for text in [
      "", "1G", "-1", "1,", "1,cpus=", "1,cpus=-", "1,cpus=1-", "1,cpus=-1", "1,cpus=2-1", "1,cpus=0-1-2", "1,mem=1",
      "1,0-1",
      "1234567", "1,cpus=1234567", "1,cpus=0,1", "node,mem=1",
    ] {
      #expect(NUMANode(Array(text.utf8)) == nil, "\(text)")
    }
  }

  @Test func distancesAreParsed() {
    #expect(NUMADistance(Array("0,1=255".utf8))?.description == "0,1=255")
    #expect(NUMADistance(Array("1,1=10".utf8)) != nil)
    for text in ["", "0,1", "0=20", "0,1=10", "0,1=256", "0,0=11", "0,1,2=20", "0,1=20=20", "a,1=20", ",=", "0,1=-20"] {
      #expect(NUMADistance(Array(text.utf8)) == nil, "\(text)")
    }
  }

  @Test func processorsAreSharedOutWhereNobodyNamesThem() throws {
    #expect(try layout(["512", "512"]).nodes.map(\.processors) == [[0, 1], [2, 3]])
    #expect(try layout(["512", "256", "256"], processors: 5).nodes.map(\.processors) == [[0, 1], [2, 3], [4]])
    #expect(try layout(["512", "512"], processors: 1).nodes.map(\.processors) == [[0], []])
    let named = try layout(["512,cpus=0,cpus=2-3", "512", "0,cpus=1"])
    #expect(named.nodes.map(\.processors) == [[0, 2, 3], [], [1]])
    #expect(named.nodes.map(\.memory) == [512, 512, 0])
  }

  @Test func aMachineIsAllOfItsNodes() {
    #expect(fault(["512", "256"]) == .memory(768, ofMachine: 1024))
    #expect(fault([String](repeating: "16", count: 65), memory: 1040) == .tooMany(65))
    #expect(fault(["1021", "3"]) == .littleMemory(node: 1))
    #expect(fault(["1024", "0"], processors: 1) == .littleMemory(node: 1))
    #expect(fault(["512,cpus=0-4", "512"]) == .unknownProcessor(4, count: 4))
    #expect(fault(["512,cpus=0-2", "512,cpus=2-3"]) == .repeatedProcessor(2))
    #expect(fault(["512,cpus=0-3,cpus=1", "512"]) == .repeatedProcessor(1))
    #expect(fault(["512,cpus=0-2", "512"]) == .processorLeft(3))
    #expect(fault(["512", "512"], ["0,2=20"]) == .unknownNode(2, count: 2))
    #expect(fault(["512", "512"], ["0,1=20", "0,1=30"]) == .repeatedDistance(0, 1))
  }

  @Test func whatIsNotToldOfDistancesIsAsFarBackOrTheUsual() throws {
    let distances = try layout(["512", "256", "256"], ["0,1=15", "1,2=40", "2,1=50"]).distances
    #expect(distances == [[10, 15, 20], [15, 10, 40], [20, 50, 10]])
  }

  @Test(arguments: [
    (["512", "512"], 4, 2), (["512", "512"], 1, 1), (["1024"], 6, 1), (["512,cpus=0-2", "512,cpus=3"], 4, 4),
    (["512,cpus=0-1,cpus=4-5", "512,cpus=2-3"], 6, 3), (["512,cpus=0-63", "512,cpus=64-126"], 127, 127),
  ])
  func aSocketIsOfOneNode(nodes: [String], processors: Int, sockets: Int) throws {
    let topology = try #require(try layout(nodes, processors: processors).topology)
    #expect(topology.count == processors && topology.sockets == sockets)
  }

  @Test(arguments: [4, 1024, 3072, 3073, 9000])
  func nodesHaveAllOfTheRAM(mebibytes: Int) throws {
    let map = try MemoryMap(size: UInt64(mebibytes) << 20)
    let parts = mebibytes < 12 ? [mebibytes, 0] : [mebibytes - mebibytes / 3, 0, mebibytes / 3]
    let layout = try layout(parts.map(String.init), memory: mebibytes, processors: 3)
    let affinity = Affinity(layout, ProcessorTopology(cores: 3), map)
    #expect(affinity.nodes.map { $0.memory.reduce(0) { $0 + $1.count } >> 20 } == parts)
    let all = affinity.nodes.flatMap(\.memory)
    #expect(all.allSatisfy { !$0.isEmpty && !$0.overlaps(MemoryMap.mmioHole) })
    #expect(zip(all, all.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound })
    #expect(affinity.nodes.flatMap(\.apicIDs) == [0, 1, 2])
  }
}
