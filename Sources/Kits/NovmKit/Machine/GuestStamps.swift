import AgentProtocol
import FileSystem
import Host

/// Takes what of a watched share has changed.
protocol ChangeTaker: AnyObject {
  /// - Parameters:
  ///   - path: the guest's.
  ///   - directory: what it is in, which is told in its place when there is too much.
  ///   - share: the share's root, which is told when there is still too much.
  func add(_ path: [UInt8], _ kind: GuestStamps.Kind, in directory: [UInt8], of share: [UInt8])
}

/// Has the guest's agent stamp what the host has changed, so that the guest's kernel tells who watches it
/// (docs/decisions/0037-watched-shares.md). What comes within a moment goes together, one call at a time.
final class GuestStamps: PollSource, ChangeTaker {
  enum Kind {
    case content, attributes
  }

  private let vsock: String
  private unowned let loop: PollLoop
  private var queues = StampQueues()
  private var session: Session?
  private var patience = MonotonicTime.past
  private(set) var deadline: MonotonicTime?
  /// Whether there are watchers yet.
  private var isOpen = false

  var interest: PollInterest? { nil }

  /// - Parameter vsock: the Unix socket that stands for the guest's vsock.
  init(vsock: String, loop: PollLoop) {
    self.vsock = vsock
    self.loop = loop
  }

  /// The guest takes commands from now on.
  func open() { isOpen = true }

  func add(_ path: [UInt8], _ kind: Kind, in directory: [UInt8], of share: [UInt8]) {
    guard isOpen else { return }
    queues.add(path, kind, in: directory, of: share)
    if deadline == nil { deadline = .after(milliseconds: Self.moment) }
  }

  func ready(_ events: Int32) throws(NovmError) {}

  func expired() throws(NovmError) {
    if let session {
      guard session.result != nil || patience <= .now else {
        deadline = .after(milliseconds: 10)
        return
      }
      session.leave(loop)
      self.session = nil
    }
    deadline = nil
    guard let (kind, paths) = queues.take(Self.most) else { return }
    let words = ["stamp", kind == .attributes ? "-a" : "", "\(-FileSystemServer.stamp)"].map { Array($0.utf8) }
    // Of a guest that does not answer nobody is told.
    session = try? Session(
      Command(arguments: words + paths, options: .builtIn), on: AgentConnection(vsock: vsock), loop: loop, input: nil,
      output: ErrorText(), error: ErrorText())
    session?.staysApart()
    patience = .after(milliseconds: 5000)
    deadline = .after(milliseconds: Self.moment)
  }

  /// How long what happens is put together, in milliseconds: editors do several things to a file.
  private static let moment: UInt64 = 50
  /// What a call takes, of at most 4 KiB each.
  private static let most = 128
}
