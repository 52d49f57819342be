import LittleEndian

/// NUMA nodes as the tables of a machine tell of them: what is near to what, and how far the rest is.
package struct Affinity: Equatable {
  package var nodes: [Node]
  /// From each node, which is a row, to each.
  package var distances: [[UInt8]]

  package struct Node: Equatable {
    /// Of processors.
    package var apicIDs: [UInt32]
    /// Addresses of RAM.
    package var memory: [Range<UInt64>]

    package init(apicIDs: [UInt32], memory: [Range<UInt64>]) {
      self.apicIDs = apicIDs
      self.memory = memory
    }
  }

  /// Nodes take the machine's RAM in order of address: the first node has what is lowest.
  package init(_ layout: NUMALayout, _ processors: ProcessorTopology, _ map: MemoryMap) {
    var ram = map.ram
    nodes = layout.nodes.map { node in
      var memory: [Range<UInt64>] = []
      var rest = UInt64(node.memory) << 20
      while rest > 0, let range = ram.first {
        let end = min(range.upperBound, range.lowerBound + rest)
        memory.append(range.lowerBound..<end)
        rest -= end - range.lowerBound
        if end == range.upperBound { ram.removeFirst() } else { ram[0] = end..<range.upperBound }
      }
      return Node(apicIDs: node.processors.map { processors.apicID(of: $0) }, memory: memory)
    }
    distances = layout.distances
  }

  /// System Resource Affinity Table (ACPI 6.5, 5.2.16).
  var resources: [UInt8] {
    var table = ACPITable("SRAT", revision: 3)
    table.body.append(field: UInt32(1))  // reserved
    table.body.append(field: UInt64(0))
    let enabled = UInt32(1)
    for (number, node) in nodes.enumerated() {
      let number = UInt32(number)
      for id in node.apicIDs {
        if let shortID = UInt8(exactly: id), shortID != 0xff, let shortNumber = UInt8(exactly: number) {
          table.body.append(contentsOf: [0, 16, shortNumber, shortID])  // processor local APIC, 5.2.16.1
          table.body.append(field: enabled)
          table.body.append(field: UInt64(0))  // SAPIC, the number's other bytes, clock domain
        } else {
          table.body.append(contentsOf: [2, 24, 0, 0])  // processor local x2APIC, 5.2.16.3
          table.body.append(field: number)
          table.body.append(field: id)
          table.body.append(field: enabled)
          table.body.append(field: UInt64(0))  // clock domain, reserved
        }
      }
      for range in node.memory {
        table.body.append(contentsOf: [1, 40])  // memory, 5.2.16.2
        table.body.append(field: number)
        table.body.append(field: UInt16(0))
        table.body.append(field: range.lowerBound)
        table.body.append(field: range.upperBound - range.lowerBound)
        table.body.append(field: UInt32(0))
        table.body.append(field: enabled)
        table.body.append(field: UInt64(0))
      }
    }
    return table.bytes
  }

  /// System Locality Information Table (ACPI 6.5, 5.2.17).
  var localities: [UInt8] {
    var table = ACPITable("SLIT", revision: 1)
    table.body.append(field: UInt64(distances.count))
    for row in distances { table.body.append(contentsOf: row) }
    return table.bytes
  }
}
