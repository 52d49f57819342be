import TreeArchive

/// Any archive is refused, or is a tree whose nodes hang together and whose data lies within.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  // The input lives for as long as this call.
  let archive = unsafe ArchiveBytes(UnsafeBufferPointer(start: data, count: size))
  guard let tree = try? ArchiveTree(archive) else { return 0 }
  for (number, node) in tree.nodes.enumerated() {
    precondition(node.parent < max(number, 1))
    for range in [node.name, node.data, node.target] {
      precondition(range.lowerBound >= 0 && range.upperBound <= size)
    }
    var last: [UInt8]?
    for child in node.children {
      precondition(child.node > 0 && child.node < tree.nodes.count && node.kind == .directory)
      let name = child.name.map { archive[$0] }
      precondition(last.map { $0.lexicographicallyPrecedes(name) } ?? true)
      precondition(tree.lookup(name.span, in: number) == child.node)
      last = name
    }
  }
  return 0
}
