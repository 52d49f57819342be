import FUSE
package import GuestMemory
import Host

/// Answers the requests of a guest's FUSE client from a layered tree.
///
/// `serve` may be called from several threads at once. Nothing that a guest sends does more than fail with an errno.
package final class FileSystemServer: @unchecked Sendable {
  let tree: LayeredTree
  let settings = Settings()
  let announcements = Announcements()
  /// Called when a guest has mounted the tree, on a thread that serves it. Set before there is one.
  package var whenMounted: () -> Void = {}

  package init(_ tree: LayeredTree) {
    self.tree = tree
  }

  /// What INIT agreed on. Set before any other request of the session is sent.
  final class Settings {
    var minor = FUSE.minorVersion
    var flags: InitFlags = []
    /// The client opens files and directories without asking (`.noOpen`, `.noOpendir`), since one request is enough to read a
    /// small file then. It means that the server is not told what is open.
    var isStateless = false
    /// Between INIT and DESTROY, or a reset of the device.
    var isMounted = false
  }

  /// How long names and attributes stay true. The machine is the only writer of its write maps, and what is below does not
  /// change; a day, and not for ever, so that a slip of a layer heals. Shares change from either side.
  static func validity(_ node: Node) -> Validity {
    switch node.caching {
    case .none: Validity(seconds: 0)
    case .auto: Validity(seconds: 1)
    case .always: Validity(seconds: 86400)
    }
  }

  /// Bytes that one COPY_FILE_RANGE copies at most; a client asks for the rest again.
  static let copyLimit: UInt64 = 64 << 20

  /// Largest READ and WRITE, in pages of 4 KiB.
  static let maximumPages: UInt16 = 256

  /// What can stop a request.
  enum Failure: Error {
    case host(Errno)
    case message(MessageError)

    var errno: Errno {
      switch self {
      // The guest's program has not too many files: its machine has.
      case .host(let error): error.meansDescriptorsAreShort ? .tooManyFiles : error
      case .message(.nameTooLong): .nameTooLong
      case .message(.truncated), .message(.badName): .invalid
      case .message(.replyTooSmall): .outOfRange
      }
    }
  }

  /// Serves one request.
  ///
  /// - Parameters:
  ///   - readable: the pieces of guest memory that hold the request.
  ///   - writable: those that are for the reply.
  /// - Returns: the length of the reply in bytes; 0 for requests that have none, and for those too short to be any.
  package func serve(readable: [GuestSlice], writable: [GuestSlice]) -> UInt32 {
    var reader = RequestReader(readable)
    var reply = ReplyWriter(writable)
    let header: RequestHeader
    do throws(MessageError) {
      header = try RequestHeader(&reader)
    } catch {
      return 0
    }
    guard let opcode = Opcode(rawValue: header.opcode) else {
      return reply.fail(Errno.notImplemented.code, unique: header.unique)
    }
    switch opcode {
    case .forget, .batchForget, .interrupt:
      forget(opcode, header, &reader)
      return 0
    default: break
    }
    do throws(Failure) {
      do throws(Failure) {
        try answer(opcode, header, &reader, &reply)
      } catch {
        guard error.errno.meansDescriptorsAreShort else { throw error }
        // What only saves an open is let go, and the request, which has changed nothing, has one more chance.
        tree.files.dropIdle()
        (reader, reply) = (RequestReader(readable), ReplyWriter(writable))
        guard (try? RequestHeader(&reader)) != nil else { throw error }
        try answer(opcode, header, &reader, &reply)
      }
      noteChange(opcode, header)
      return reply.finish(unique: header.unique)
    } catch {
      return reply.fail(error.errno.code, unique: header.unique)
    }
  }

  private func answer(
    _ opcode: Opcode, _ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter
  ) throws(Failure) {
    switch opcode {
    case .lookup: try lookUp(header, &reader, &reply)
    case .getattr: try getattr(header, &reader, &reply)
    case .setattr: try setattr(header, &reader, &reply)
    case .statx: try statx(header, &reader, &reply)
    case .readlink: try readlink(header, &reply)
    case .symlink: try symlink(header, &reader, &reply)
    case .mknod: try mknod(header, &reader, &reply)
    case .mkdir: try mkdir(header, &reader, &reply)
    case .unlink: try remove(header, &reader, isDirectory: false)
    case .rmdir: try remove(header, &reader, isDirectory: true)
    case .rename: try rename(header, &reader, hasFlags: false)
    case .rename2: try rename(header, &reader, hasFlags: true)
    case .link: try link(header, &reader, &reply)
    case .open, .opendir:
      // The answer after which a client does not ask again.
      if settings.isStateless { throw .host(.notImplemented) }
      if opcode == .open { try open(header, &reader, &reply) } else { try opendir(header, &reply) }
    case .create: try create(header, &reader, &reply)
    case .tmpfile: try temporary(header, &reader, &reply)
    case .read: try read(header, &reader, &reply)
    case .write: try write(header, &reader, &reply)
    case .statfs: try statfs(header, &reply)
    case .release: try release(header)
    case .releasedir: break
    case .fsync: try fsync(header, &reader)
    case .fsyncdir: try fsyncDirectory(header)
    case .setxattr: try setxattr(header, &reader)
    case .getxattr: try getxattr(header, &reader, &reply)
    case .listxattr: try listxattr(header, &reader, &reply)
    case .removexattr: try removexattr(header, &reader)
    case .initialize: try initialize(&reader, &reply)
    case .readdir: try readdir(header, &reader, &reply, isPlus: false)
    case .readdirplus: try readdir(header, &reader, &reply, isPlus: true)
    case .fallocate: try fallocate(header, &reader)
    case .lseek: try lseek(header, &reader, &reply)
    case .copyFileRange: try copyFileRange(header, &reader, &reply)
    case .syncfs: try host { () throws(Errno) in try tree.syncAll() }
    case .destroy: reset(isLost: false)
    case .ioctl: try ioctl(header, &reader, &reply)
    case .setupMapping:
      let request = try message { () throws(MessageError) in try SetupMappingRequest(&reader) }
      let node = try node(header.node)
      try host { () throws(Errno) in try tree.map(node, request) }
    case .removeMapping: try removeMapping(&reader)
    // Locks are the guest kernel's own: nobody else uses the tree. Access is checked there too (virtio-fs always sets
    // default_permissions), and closing a file has nothing to write back.
    case .getlk, .setlk, .setlkw, .access, .flush, .bmap, .poll, .notifyReply:
      throw .host(.notImplemented)
    case .forget, .batchForget, .interrupt: break
    }
  }

  // MARK: The session

  private func initialize(_ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Failure) {
    let request = try message { () throws(MessageError) in try InitRequest(&reader) }
    var answer = InitReply()
    if request.major > FUSE.majorVersion {
      // The client comes again with our version.
      return try message { () throws(MessageError) in try answer.write(to: &reply) }
    }
    guard request.major == FUSE.majorVersion, request.minor >= FUSE.oldestMinorVersion else {
      throw .host(.protocolError)
    }
    reset()
    settings.isMounted = true
    settings.isStateless = tree.isPrivate && request.flags.isSuperset(of: [.noOpen, .noOpendir])
    settings.minor = min(request.minor, FUSE.minorVersion)
    settings.flags = offered(isStateless: settings.isStateless).intersection(request.flags)
    answer.minor = settings.minor
    answer.maximumReadahead = request.maximumReadahead
    answer.flags = settings.flags
    answer.maximumBackground = 128
    answer.congestionThreshold = 96
    answer.maximumPages = FileSystemServer.maximumPages
    answer.mapAlignment = 12
    answer.maximumWrite = UInt32(FileSystemServer.maximumPages) * 4096
    try message { () throws(MessageError) in try answer.write(to: &reply) }
    whenMounted()
  }

  /// What a client may have of the tree.
  ///
  /// - Parameter isStateless: it does not tell what it opens.
  func offered(isStateless: Bool) -> InitFlags {
    var offered: InitFlags = [
      .asyncRead, .bigWrites, .parallelDirectoryOperations, .readdirplus, .readdirplusAuto, .maxPages,
      .handleKillPrivilegesV2, .setxattrExtended, .initExtended,
    ]
    // Linux keeps the target of a symlink until it forgets the link, and knows it by its number, which the host's file system
    // gives to the next one that is made.
    if tree.isPrivate { offered.insert(.cacheSymlinks) }
    // Linux drops what it has cached of a range before it sends asynchronous O_DIRECT writes, and not again when they are done
    // (fs/fuse's fuse_aio_complete; others do, dio_complete): what somebody read between would stay, and be old. Without this
    // flag such writes are sent as synchronous ones are, after which it drops the range once more (generic_file_direct_write).
    if !tree.isWritableThroughCache { offered.insert(.asyncDirectIO) }
    offered.insert(isStateless ? [.noOpen, .noOpendir] : .atomicTruncate)
    if !tree.isPrivate {
      offered.insert([.autoInvalidateData, .directIOAllowsMmap])
    } else if tree.isWritable {
      // Nobody else writes, so the guest's kernel may hold writes back, until a file is closed or synchronized.
      offered.insert(.writebackCache)
    }
    if tree.mapped != nil { offered.insert([.mapAlignment, .inodeDAX]) }
    if tree.keepsAccessLists { offered.insert([.posixACL, .dontMask]) }
    return offered
  }

  /// Ends the session and leaves nothing in the write maps that is not the guest's. Nothing is served meanwhile or after.
  ///
  /// - Parameter isUnmounted: the client has sent all that it held back.
  package func close(isUnmounted: Bool = false) {
    reset(isLost: !isUnmounted)
    tree.close()
  }

  /// Ends the session of a client whose device was reset: files are closed, and the window is empty. The next begins with INIT
  /// (Virtio 1.2, 5.11.5), and may be long in coming. On a vCPU's thread.
  package func disconnected() { reset() }

  /// Leaves everything as it is, for a process that ends while a request does not: nothing of the tree is touched any more.
  package func abandon() { tree.abandon() }

  /// A directory that the tree consists of, or a single file of it, open.
  package struct Root {
    package let descriptor: Int32
    package let isWritable: Bool
    package let isFile: Bool
  }

  /// All of them: outside of these the server opens, makes, removes and renames nothing.
  package var roots: [Root] {
    tree.layers.map {
      Root(descriptor: $0.root.raw, isWritable: $0.isWritable, isFile: $0.file?.name == FileCalls.itself)
    }
  }

  // MARK: The window

  /// A number for `mendWindow`, to be taken before a vCPU runs.
  package var windowMends: Int { tree.mapped?.mendCount ?? 0 }

  /// Readable when `mendShortened` has something to do; nil where there is no window.
  package var windowWatch: Int32? { tree.mapped?.watch?.raw }

  /// Puts zeros where the host has shortened a file that the guest has mapped, before the guest runs into it.
  package func mendShortened() { tree.mapped?.mendShortened() }

  /// Puts zeros where the host took something away that the guest has mapped, after a vCPU ran into it.
  ///
  /// - Parameter seen: `windowMends` from before.
  /// - Returns: false if that cannot be why it stopped.
  package func mendWindow(after seen: Int) -> Bool { tree.mapped?.mend(after: seen) ?? false }

  /// Forgets what the last session knew.
  private func reset(isLost: Bool = true) {
    settings.isMounted = false
    tree.mapped?.unmapAll()
    tree.listings.dropAll()
    tree.files.releaseAll(isLost: isLost)
    tree.nodes.forgetAll()
  }

  private func removeMapping(_ reader: inout RequestReader) throws(Failure) {
    guard let mapped = tree.mapped else { throw .host(.notImplemented) }
    let count = try message { () throws(MessageError) in try reader.load(UInt32.self) }
    guard count <= RemoveMappingRequest.limit else { throw .host(.invalid) }
    for _ in 0..<count {
      let request = try message { () throws(MessageError) in try RemoveMappingRequest(&reader) }
      try host { () throws(Errno) in try mapped.unmap(at: request.windowOffset, count: request.count) }
    }
  }

  private func forget(_ opcode: Opcode, _ header: RequestHeader, _ reader: inout RequestReader) {
    switch opcode {
    case .forget:
      if let request = try? ForgetRequest(&reader, node: header.node) {
        tree.nodes.forget(request.node, request.lookups)
      }
    case .batchForget:
      guard let count = try? reader.load(UInt32.self), (try? reader.skip(4)) != nil else { return }
      // Bounded by the request's length, whatever the count says.
      for _ in 0..<count {
        guard let request = try? ForgetRequest(&reader) else { return }
        tree.nodes.forget(request.node, request.lookups)
      }
    default: break
    }
  }

  // MARK: For all requests

  /// The node that a request is about.
  func node(_ id: UInt64) throws(Failure) -> Node {
    guard let node = tree.nodes.node(id) else { throw .host(.stale) }
    if node.isSharedFile { try host { () throws(Errno) in try tree.follow(node) } }
    return node
  }

  /// Runs what may fail with a host's error.
  @inline(__always)
  func host<Result>(_ body: () throws(Errno) -> Result) throws(Failure) -> Result {
    do throws(Errno) { return try body() } catch { throw .host(error) }
  }

  /// Runs what may fail on the form of a message.
  @inline(__always)
  func message<Result>(_ body: () throws(MessageError) -> Result) throws(Failure) -> Result {
    do throws(MessageError) { return try body() } catch { throw .message(error) }
  }
}
