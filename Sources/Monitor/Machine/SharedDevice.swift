import FileSystem

/// A virtio-fs device beside the tree's.
package struct SharedDevice {
  /// By which the guest mounts it.
  package var tag: [UInt8]
  package var shares: [Share]
  /// Whether it consists of single files, their guest paths its own. Otherwise it is one directory, for which there is one in the
  /// tree to mount it on.
  package var hasFiles: Bool

  package init(tag: [UInt8], directory share: Share) {
    self.tag = tag
    shares = [share]
    hasFiles = false
  }

  package init(tag: [UInt8], file share: Share) {
    self.tag = tag
    shares = [share]
    hasFiles = true
  }
}
