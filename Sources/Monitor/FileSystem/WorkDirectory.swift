import Host

/// A directory beside a write map's content in which files are made before they appear at their place.
///
/// It lies in the map's root under a name that the guest never sees, is made when first needed, removed when the tree is
/// closed, and, if a machine was killed, when the next one starts.
final class WorkDirectory {
  static let name = [UInt8](".novm.work\0".utf8)

  private let layerRoot: SharedDescriptor
  private let lock = Lock()
  private var descriptor: SharedDescriptor?
  private var serial: UInt64 = 0

  init(layerRoot: SharedDescriptor) { self.layerRoot = layerRoot }

  /// The directory, made and emptied if need be.
  func open() throws(Errno) -> SharedDescriptor {
    try lock.withLock { () throws(Errno) -> SharedDescriptor in
      if let descriptor { return descriptor }
      var isNew = true
      do throws(Errno) {
        try FileCalls.makeDirectory(layerRoot.raw, WorkDirectory.name.span, mode: 0o700)
      } catch {
        guard error == .exists else { throw error }
        isNew = false
      }
      let opened = SharedDescriptor(
        try FileCalls.openBeneath(layerRoot.raw, WorkDirectory.name.span, OpenFlags.directory))
      // Another's could be changed while files are made in it.
      if !isNew, try FileCalls.status(opened.raw).uid != FileCalls.effectiveUser { throw .notPermitted }
      try? DirectoryRemoval.removeContents(of: opened.raw, isForced: true)
      descriptor = opened
      return opened
    }
  }

  /// Removes what a killed machine left.
  func removeLeftovers() {
    lock.withLock {
      let name = WorkDirectory.name
      guard descriptor == nil, (try? FileCalls.status(layerRoot.raw, name.span))?.isDirectory == true else { return }
      try? DirectoryRemoval.remove(layerRoot.raw, name, isForced: true)
    }
  }

  /// A name that nothing in the directory has, with its NUL.
  func temporaryName() -> [UInt8] {
    let number = lock.withLock { () -> UInt64 in
      serial &+= 1
      return serial
    }
    return [UInt8]("\(number)\0".utf8)
  }

  /// Removes a directory and all in it that was moved here.
  func discardDirectory(_ name: [UInt8]) {
    guard let work = try? open() else { return }
    try? DirectoryRemoval.remove(work.raw, name, isForced: true)
  }

  /// Leaves nothing behind.
  func close() {
    lock.withLock {
      guard descriptor != nil else { return }
      try? DirectoryRemoval.remove(layerRoot.raw, WorkDirectory.name, isForced: true)
      descriptor = nil
    }
  }
}
