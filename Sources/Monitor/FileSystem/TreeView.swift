import FUSE
import Host

/// A composed tree, looked at by path from the host's side: what a guest would find in it.
///
/// Looking changes nothing: all maps are for reading. One thread at a time.
package final class TreeView {
  private let tree: LayeredTree
  /// The directories that the last path led through: who looks at all that is deep in a tree goes each step once.
  private var way: [(name: [UInt8], node: Node)] = []

  /// Where a path's file is on the host.
  package struct Origin: Equatable {
    package let map: LayerMap
    /// Below the map's host path, without a slash before it; empty for that directory itself.
    package let path: [UInt8]

    package init(map: LayerMap, path: [UInt8]) {
      self.map = map
      self.path = path
    }
  }

  /// - Parameters:
  ///   - reads: layers, later ones above earlier ones.
  ///   - hides: guest paths that they do not show.
  package init(reads: [LayerMap], hides: [Path] = []) throws(TreeError) {
    tree = try LayeredTree(reads: reads, hides: hides)
  }

  /// What is at an absolute path, no symlink followed; nil if there is nothing.
  package func item(at path: [UInt8]) throws(Errno) -> Item? {
    let names = path.split(separator: UInt8(ascii: "/"))
    guard let last = names.last else {
      let status = try tree.namespace.withReadLock { () throws(Errno) in try tree.status(of: tree.root) }
      return Item(tree: tree, node: tree.root, status: status)
    }
    var known = 0
    while known < way.count, known < names.count - 1, names[known].elementsEqual(way[known].name) { known += 1 }
    way.removeLast(way.count - known)
    for name in names[known..<(names.count - 1)] {
      guard let entry = try step(name), entry.node.isDirectory else { return nil }
      way.append((Array(name), entry.node))
    }
    return try step(last).map { Item(tree: tree, node: $0.node, status: $0.status) }
  }

  private func step(_ name: ArraySlice<UInt8>) throws(Errno) -> Entry? {
    guard let name = try? FileName(Array(name)) else { return nil }
    return try tree.lookUp(way.last?.node ?? tree.root, name)
  }

  /// Something in the tree.
  package struct Item {
    fileprivate let tree: LayeredTree
    fileprivate let node: Node
    /// As the guest sees it.
    package let status: FileStatus

    /// As the host has it in the topmost layer; nil for a directory that is there only because one is mounted below.
    package func hostStatus() throws(Errno) -> FileStatus? {
      if node.isSynthetic { return nil }
      let place = try self.place()
      return try FileCalls.status(place.base.raw, place.name.span)
    }

    /// Opens a regular file for reading.
    package func open() throws(Errno) -> FileDescriptor {
      let place = try self.place()
      return try FileCalls.openRegular(place.base.raw, place.name.span, OpenFlags.read)
    }

    package func linkTarget() throws(Errno) -> [UInt8] { try tree.readLink(node) }

    /// The names in a directory, in no order.
    package func names() throws(Errno) -> [[UInt8]] {
      try tree.namespace.withReadLock { () throws(Errno) in
        try MergedDirectory.entries(of: node, in: tree).map { Array($0.name.dropLast()) }
      }
    }

    /// Extended attributes that the guest sees.
    package func attributes() throws(Errno) -> [(name: [UInt8], value: [UInt8])] {
      var attributes: [(name: [UInt8], value: [UInt8])] = []
      for name in try tree.attributeNames(node).split(separator: 0) {
        // One that went since it was listed is not there.
        guard let value = try? tree.attribute(node, Array(name)) else { continue }
        attributes.append((Array(name), value))
      }
      return attributes
    }

    /// Where it is on the host, topmost first: a directory in each layer that it is merged of.
    package var origins: [Origin] {
      let layers = node.isDirectory ? node.parts.map(\.layer) : [node.layer].compactMap(\.self)
      return layers.compactMap { layer in
        if let file = layer.file {
          var map = layer.map
          map.hostPath = map.hostPath.parent
          return Origin(map: map, path: file.name.dropLast())
        }
        var names: [[UInt8]] = []
        var next = node
        while !next.mounted.contains(where: { $0 === layer }) {
          guard let parent = next.parent else { return nil }
          names.append(next.name.dropLast())
          next = parent
        }
        return Origin(map: layer.map, path: Array(names.reversed().joined(separator: [UInt8(ascii: "/")])))
      }
    }

    private func place() throws(Errno) -> LayeredTree.Place {
      try tree.namespace.withReadLock { () throws(Errno) in try tree.place(of: node) }
    }
  }
}
