import FUSE
import Host

/// Tells the guest's programs that watch a share (inotify(7)) what the host has changed there.
///
/// virtio-fs has no message for that. But the guest's kernel tells its watchers of each utimensat(2), so the guest's agent stamps
/// what the host has changed with a time that nothing has. Here a stamp changes nothing: the reply has the file's attributes as they
/// are (docs/decisions/0037-watched-shares.md).
///
/// What the guest has changed itself, its kernel has told. Who watches on the host cannot tell the two apart, so from the first
/// stamp on it is kept here what the guest has changed of late, and a stamp for that is refused.
final class Announcements {
  private struct Known {
    /// When the guest changed it, if it was not stamped since.
    var ownChange: UInt64?
    /// When it was changed last, as of the last stamp.
    var changed: FileTime?
  }

  private struct State {
    var isActive = false
    var known: [UInt64: Known] = [:]

    mutating func set(_ node: UInt64, _ value: Known) {
      // Who is forgotten is announced once too often.
      if known.count >= Announcements.limit { known.removeAll() }
      known[node] = value
    }
  }

  private let lock = Lock()
  private var state = State()

  /// Whether a request is a stamp rather than a change.
  static func isStamp(_ request: SetattrRequest) -> Bool {
    request.valid.intersection([.mode, .uid, .gid, .size, .modified, .modifiedNow]) == .modified
      && request.modified == Timestamp(seconds: FileSystemServer.stamp, nanoseconds: 0)
  }

  /// The guest has changed what a node stands for.
  func changed(_ node: UInt64) {
    lock.withLock {
      guard state.isActive else { return }
      let changed = state.known[node]?.changed
      state.set(node, Known(ownChange: Timer.now, changed: changed))
    }
  }

  /// Whether the guest's watchers are to be told of a change.
  ///
  /// - Parameter time: when the host says that the file was changed last.
  func takes(_ node: UInt64, changed time: FileTime) -> Bool {
    lock.withLock {
      state.isActive = true
      let last = state.known[node]
      state.set(node, Known(changed: time))
      if let own = last?.ownChange, Timer.now &- own < Self.echo { return false }
      return last?.changed != time
    }
  }

  /// What is remembered at most: a few hundred KiB.
  private static let limit = 8192

  /// How long, in nanoseconds, it takes at most that a change of the guest's comes back as a stamp. What the guest asked for may have
  /// changed nothing, and then no stamp comes; the host's next one must not be taken for it.
  private static let echo: UInt64 = 2_000_000_000
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
  func announce(_ node: Node, _ reply: inout ReplyWriter) throws(Failure) {
    let status = try status(node)
    guard node.caching != .always, announcements.takes(node.id, changed: status.changed) else { throw .host(.exists) }
    try write(node, status, to: &reply)
  }
}
