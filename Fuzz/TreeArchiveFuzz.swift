import TreeArchive

/// Any archive is refused, or is a tree whose nodes hang together and whose data lies within.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  // The input lives for as long as this call.
  let archive = unsafe ArchiveBytes(UnsafeBufferPointer(start: data, count: size))
  guard let tree = try? ArchiveTree(archive) else { return 0 }
  for (number, node) in tree.nodes.enumerated() {
    precondition(node.parent < max(number, 1))
    precondition(node.data.lowerBound >= 0 && node.data.upperBound <= size)
    precondition(node.first == nil || node.kind == .directory)
    var next = node.first
    var count = 0
    while let entry = next {
      precondition(tree.entries[entry].directory == number)
      next = tree.entries[entry].next
      count += 1
      precondition(count <= tree.entries.count)
    }
  }
  for entry in tree.entries {
    precondition(entry.node > 0 && entry.node < tree.nodes.count)
    precondition(entry.name.lowerBound >= 0 && entry.name.upperBound <= size)
    let name = entry.name.map { archive[$0] }
    precondition(tree.lookup(name.span, in: entry.directory) == entry.node)
  }
  return 0
}
