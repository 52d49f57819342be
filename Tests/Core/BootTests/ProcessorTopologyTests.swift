import Boot
import Testing

struct ProcessorTopologyTests {
  /// Text; sockets, cores, threads; the APIC ids.
  static let topologies: [(String, [Int], [UInt32])] = [
    ("1", [1, 1, 1], [0]),
    ("3", [1, 3, 1], [0, 1, 2]),
    ("8,cores=4,threads=2", [1, 4, 2], [0, 1, 2, 3, 4, 5, 6, 7]),
    ("8,cores=2,threads=2", [2, 2, 2], [0, 1, 2, 3, 4, 5, 6, 7]),
    ("8,cores=4", [2, 4, 1], [0, 1, 2, 3, 4, 5, 6, 7]),
    ("4,threads=2", [1, 2, 2], [0, 1, 2, 3]),
    ("4,sockets=2", [2, 2, 1], [0, 1, 2, 3]),
    ("4,sockets=4,cores=1", [4, 1, 1], [0, 1, 2, 3]),
    // Three cores take two bits, so every fourth id is nobody's.
    ("6,cores=3", [2, 3, 1], [0, 1, 2, 4, 5, 6]),
    ("12,cores=3,threads=2,sockets=2", [2, 3, 2], [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13]),
  ]

  @Test(arguments: topologies)
  func parses(text: String, parts: [Int], apicIDs: [UInt32]) throws {
    let topology = try #require(ProcessorTopology(Array(text.utf8)))
    #expect([topology.sockets, topology.cores, topology.threads] == parts)
    #expect(topology.apicIDs == apicIDs)
    #expect(ProcessorTopology(Array(topology.description.utf8)) == topology)
  }

  @Test(arguments: [
    "", "0", "-1", "255", "two", "1,", "2 ", "8,cores=3", "4,cores=8", "4,threads=0", "4,threads=3",
    "4,cores=", "4,cores", "4,cores=2,cores=2", "4,dies=2", "8,sockets=2,cores=2,threads=1", "9999",
    "4,sockets=200,cores=200",
    // 5 cores take three bits: the last id would be 261.
    "165,cores=5",
  ])
  func refuses(text: String) {
    #expect(ProcessorTopology(Array(text.utf8)) == nil)
  }

  @Test func everyProcessorHasAnIDOfItsOwn() throws {
    for count in 1...254 {
      let topology = try #require(ProcessorTopology(Array("\(count)".utf8)))
      #expect(topology == ProcessorTopology(cores: count) && topology.apicIDs == (0..<UInt32(count)).map { $0 })
    }
    for sockets in 1...6 {
      for cores in 1...6 {
        for threads in 1...3 {
          let text = "\(sockets * cores * threads),sockets=\(sockets),cores=\(cores),threads=\(threads)"
          let ids = try #require(ProcessorTopology(Array(text.utf8))).apicIDs
          #expect(Set(ids).count == sockets * cores * threads)
        }
      }
    }
  }
}
