import Host

/// Removes a whole tree whose names and modes a guest chose.
///
/// Works on open directories, never follows a link, takes names as bytes, is as deep as the tree is, and does not mind another
/// process removing the same tree at the same time.
package enum TreeRemoval {
  package static func remove(_ path: String) throws(StoreError) {
    do throws(Errno) {
      try DirectoryRemoval.remove(path: Path(path), isForced: true)
    } catch {
      throw .system(operation: .remove, path: path, error)
    }
  }
}
