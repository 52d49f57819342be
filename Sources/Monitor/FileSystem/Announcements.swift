import FUSE
import Host
import Synchronization

/// Tells the guest's programs that watch a share (inotify(7)) what the host has changed there.
///
/// virtio-fs has no message for that. But the guest's kernel tells its watchers of each utimensat(2), so the guest's agent stamps
/// what the host has changed with a time that nothing has. Here a stamp changes nothing: the reply has the file's attributes as they
/// are (docs/decisions/0037-watched-shares.md).
///
/// What the guest has changed itself, its kernel has told. Who watches on the host cannot tell the two apart, so from the first
/// stamp on it is kept here what the guest has changed of late, and a stamp for that is refused.
final class Announcements {
  /// What the guest's kernel tells of a stamp: IN_MODIFY, or IN_ATTRIB.
  enum Kind {
    case content, attributes

    init(_ request: SetattrRequest) { self = request.valid.contains(.accessed) ? .attributes : .content }
  }

  private struct Known {
    /// When the guest had changed it last, by the host's clock: its request was done then, so what it changed is of before.
    var ownChange: FileTime?
    /// When it was changed last, as of the last stamp of each kind.
    var content: FileTime?
    var attributes: FileTime?
    /// When something of this was set last, as a number that grows.
    var age: UInt64 = 0

    subscript(_ kind: Kind) -> FileTime? {
      get { kind == .content ? content : attributes }
      set { if kind == .content { content = newValue } else { attributes = newValue } }
    }
  }

  private struct State {
    private var known: [UInt64: Known] = [:]
    private var age: UInt64 = 0

    mutating func change(_ node: UInt64, _ body: (inout Known) -> Void) {
      if known.count >= Announcements.limit, known[node] == nil {
        // Who is forgotten is announced once too often.
        let middle = known.values.map(\.age).sorted()[known.count / 2]
        known = known.filter { $1.age >= middle }
      }
      age &+= 1
      body(&known[node, default: Known()])
      known[node]?.age = age
    }

    func known(_ node: UInt64) -> Known? { known[node] }
  }

  private let lock = Lock()
  private var state = State()
  private let active = Atomic(false)

  /// Whether there has been a stamp. Nothing is noted before, by anybody.
  var isActive: Bool { active.load(ordering: .acquiring) }

  /// Whether a request is a stamp rather than a change.
  static func isStamp(_ request: SetattrRequest) -> Bool {
    request.valid.intersection([.mode, .uid, .gid, .size, .modified, .modifiedNow]) == .modified
      && request.modified == Timestamp(seconds: FileSystemServer.stamp, nanoseconds: 0)
  }

  /// The guest has changed what a node stands for.
  func changed(_ node: UInt64) {
    guard isActive else { return }
    lock.withLock {
      let now = FileTime.nowPrecisely()
      state.change(node) { $0.ownChange = now }
    }
  }

  /// Whether the guest's watchers are to be told of a change.
  ///
  /// - Parameter time: when the host says that the file was changed last.
  func takes(_ node: UInt64, _ kind: Kind, changed time: FileTime) -> Bool {
    lock.withLock {
      active.store(true, ordering: .releasing)
      let last = state.known(node)
      state.change(node) { $0[kind] = time }
      // A clock that was set back says nothing of what the guest did before.
      if let own = last?.ownChange, time <= own, own <= .nowPrecisely() { return false }
      return last?[kind] != time
    }
  }

  /// What is remembered at most: a megabyte or so.
  static let limit = 8192
}

extension FileSystemServer {
  /// The time of a stamp, in seconds: one of 1862, which ext4 cannot have.
  package static let stamp: Int64 = -3_405_691_582

  /// Notes what a request of this kind has changed; what else it has, its own function notes.
  func noteChange(_ opcode: Opcode, _ header: RequestHeader) {
    switch opcode {
    case .write, .setxattr, .removexattr, .fallocate, .symlink, .mknod, .mkdir, .create, .unlink, .rmdir, .rename,
      .rename2,
      .link:
      announcements.changed(header.node)
    default: break
    }
  }

  /// Answers a stamp as if it had been set.
  func announce(_ node: Node, _ kind: Announcements.Kind, _ reply: inout ReplyWriter) throws(Failure) {
    let status = try status(node)
    guard node.caching != .always, announcements.takes(node.id, kind, changed: status.changed) else {
      throw .host(.exists)
    }
    try write(node, status, to: &reply)
  }
}
