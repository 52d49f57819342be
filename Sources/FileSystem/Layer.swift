import Host

/// A host directory that shows at a place of the guest's tree.
package struct LayerMap: Equatable, Sendable {
  /// Absolute, `/` for the whole tree.
  package var guestPath: String
  package var hostPath: String

  package init(guestPath: String, hostPath: String) {
    self.guestPath = guestPath
    self.hostPath = hostPath
  }
}

/// An opened map. Layers are ranked: what a lower rank number has hides what a higher one has.
final class Layer {
  let rank: Int
  let map: LayerMap
  let root: SharedDescriptor
  /// Where changes may go. Only write maps have whiteouts made by us, but marks are read in every layer.
  let isWritable: Bool
  /// For what is made before it appears at its place; write maps only.
  let work: WorkDirectory?

  init(rank: Int, map: LayerMap, root: SharedDescriptor, isWritable: Bool) {
    self.rank = rank
    self.map = map
    self.root = root
    self.isWritable = isWritable
    work = isWritable ? WorkDirectory(layerRoot: root) : nil
  }
}
