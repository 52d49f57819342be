/// What a guest makes the server hold. On any thread.
extension FileSystemServer {
  /// A write map with a limit.
  package struct Written {
    package let bytes: UInt64
    /// Names.
    package let files: UInt64
    package let limit: WriteLimit
  }

  /// Files and directories that the guest knows.
  package var nodeCount: Int { tree.nodes.count }

  package var written: [Written] {
    tree.layers.compactMap { layer in
      guard let allowance = layer.allowance else { return nil }
      let (bytes, files) = allowance.usage
      return Written(bytes: bytes, files: files, limit: allowance.limit)
    }
  }
}
