import Host
import Synchronization

/// What the guest has open: a file or a directory.
final class Handle {
  let node: Node
  let isDirectory: Bool
  let canWrite: Bool
  private let lock = Lock()
  private var file: SharedDescriptor?
  private var isUpper: Bool
  /// How many files had been copied up when this one was last found not to be among them.
  private var seenCopies: UInt64 = .max
  private var hasClearedCapabilities = false
  /// The listing of a directory; used by one request at a time.
  private var listing: Listing?

  init(node: Node, file: SharedDescriptor, isUpper: Bool, canWrite: Bool) {
    self.node = node
    self.file = file
    self.isUpper = isUpper
    self.canWrite = canWrite
    isDirectory = false
  }

  init(directory: Node) {
    node = directory
    isDirectory = true
    canWrite = false
    isUpper = false
  }

  /// The open file. One that was opened before its file was copied up goes on with the copy, as the file that it is to the
  /// guest did not change.
  func descriptor(_ tree: LayeredTree) throws(Errno) -> SharedDescriptor {
    try lock.withLock { () throws(Errno) -> SharedDescriptor in
      guard let file else { throw .isDirectory }
      let copies = tree.copies.load(ordering: .acquiring)
      if isUpper || copies == seenCopies { return file }
      seenCopies = copies
      guard tree.namespace.withReadLock({ node.isUpper }) else { return file }
      let opened = try tree.open(node, flags: 0, killPrivileges: false)
      self.file = opened.file
      isUpper = opened.isUpper
      return opened.file
    }
  }

  /// The open file as it is, without a look at where its node is now.
  var openFile: SharedDescriptor? { lock.withLock { file } }

  /// True once: before the first write, capabilities of the file must go.
  func takesCapabilities() -> Bool {
    lock.withLock {
      defer { hasClearedCapabilities = true }
      return !hasClearedCapabilities
    }
  }

  /// Works on the listing, which is made anew when `offset` is 0.
  func withListing<Result>(
    _ tree: LayeredTree, offset: UInt64, _ body: (Listing) throws(Errno) -> Result
  ) throws(Errno) -> Result {
    guard isDirectory else { throw .notDirectory }
    return try lock.withLock { () throws(Errno) -> Result in
      if let listing, offset != 0 { return try body(listing) }
      let fresh = try Listing(tree, node)
      listing = fresh
      return try body(fresh)
    }
  }
}
