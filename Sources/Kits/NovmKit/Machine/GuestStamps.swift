import AgentProtocol
import FileSystem
import Host

/// Has the guest's agent stamp what the host has changed, so that the guest's kernel tells who watches it
/// (docs/decisions/0037-watched-shares.md). What comes within a moment goes together, one call at a time.
final class GuestStamps: PollSource {
  enum Kind: CaseIterable {
    case content, attributes
  }

  /// Paths of the guest's, each once, in the order in which they came.
  private struct Queue {
    private var paths: [[UInt8]] = []
    private var known: Set<[UInt8]> = []

    var count: Int { paths.count }

    mutating func add(_ path: [UInt8]) {
      if known.insert(path).inserted { paths.append(path) }
    }

    mutating func take(_ most: Int) -> [[UInt8]] {
      let taken = Array(paths.prefix(most))
      paths.removeFirst(taken.count)
      known.subtract(taken)
      return taken
    }
  }

  private let vsock: String
  private unowned let loop: PollLoop
  private var queues: [Kind: Queue] = [:]
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

  /// - Parameter directory: what the path is in, which is told in its place when there is too much.
  func add(_ path: [UInt8], _ kind: Kind = .content, in directory: [UInt8]) {
    guard isOpen else { return }
    let isFull = queues[kind, default: Queue()].count >= Self.limit
    queues[kind, default: Queue()].add(isFull ? directory : path)
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
    for kind in Kind.allCases {
      guard let paths = queues[kind]?.take(Self.most), !paths.isEmpty else { continue }
      let words = ["stamp", kind == .attributes ? "-a" : "", "\(-FileSystemServer.stamp)"].map { Array($0.utf8) }
      // Of a guest that does not answer nobody is told.
      session = try? Session(
        Command(arguments: words + paths, options: .builtIn), on: AgentConnection(vsock: vsock), loop: loop, input: nil,
        output: ErrorText(), error: ErrorText())
      session?.staysApart()
      patience = .after(milliseconds: 5000)
      deadline = .after(milliseconds: Self.moment)
      return
    }
  }

  /// How long what happens is put together, in milliseconds: editors do several things to a file.
  private static let moment: UInt64 = 50
  /// What a call takes, of at most 4 KiB each.
  private static let most = 128
  /// What waits at most, but for directories: whoever changes more at a time is told of by these, and holds nobody else up.
  private static let limit = 256
}
