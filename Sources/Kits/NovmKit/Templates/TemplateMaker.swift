import AgentProtocol
import Glibc
import Host
import Store

/// Boots a guest to where it waits to be told which machine it is to be, and keeps its state (docs/templates.md). In a process of its
/// own, which nobody waits for.
package struct TemplateMaker {
  private let store: TemplateStore
  private let runtime: String
  private let novmm: String

  /// - Parameter runtime: where sockets may be.
  package init(store: TemplateStore, runtime: String, novmm: String) {
    self.store = store
    self.runtime = runtime
    self.novmm = novmm
  }

  /// In milliseconds. Whoever comes after a boot that takes longer boots, too.
  private static let patience: UInt64 = 120_000
  /// How often it is tried to save a guest that may be in the middle of something, and how long after each other.
  private static let attempts = 100
  private static let pause: UInt64 = 100

  /// Makes one, unless somebody does already.
  ///
  /// - Parameters:
  ///   - shares: tags of the devices of files besides the tree; one with a slash is of files one by one.
  ///   - arguments: of novmm, as of ``TemplateKind``.
  package func make(_ key: String, shares: [String], arguments: [[UInt8]]) throws(NovmError) {
    // After all that anybody waits for (getpriority(2), PRIO_PROCESS).
    _ = nice(19)
    guard let draft = try begin(key) else { return }
    let place: String
    do { place = try TemplateStore.workshop(in: runtime) } catch { throw .store(error) }
    defer { try? TreeRemoval.remove(place) }
    try write(to: draft.descriptor, shares, arguments, in: place)
    do { try draft.keep() } catch { throw .store(error) }
  }

  private func begin(_ key: String) throws(NovmError) -> TemplateStore.Draft? {
    do { return try store.begin(key) } catch { throw .store(error) }
  }

  private func write(
    to file: Int32, _ shares: [String], _ arguments: [[UInt8]], in place: String
  ) throws(NovmError) {
    let loop = PollLoop()
    let hello = try HelloListener(vsock: "\(place)/vsock", loop: loop)
    let log = try KernelLog(path: nil, screen: nil)
    let process = try MachineProcess(
      program: novmm, arguments: arguments + standIns(shares, in: place).values + sockets(in: place, log).values,
      inherited: [log.descriptor])
    log.handedOver()
    for source in [hello, log, process] as [any PollSource] { loop.add(source) }
    try loop.run(until: .after(milliseconds: Self.patience)) { hello.hello != nil || process.end != nil }
    if let end = process.end { throw .machineEnded(end) }
    guard hello.hello != nil else { throw .tookTooLong("the boot of a template") }
    // The guest goes on to wait once its connection is closed; where it is saved before that, those made of it do at once.
    hello.leave()
    var control = MonitorControl(path: "\(place)/control")
    control.patience = Self.patience
    for attempt in 1...Self.attempts {
      try loop.run(until: .after(milliseconds: Self.pause)) { process.end != nil }
      guard try control.quiesce() == .quiesced else { continue }
      do throws(NovmError) {
        return try control.save(to: file)
      } catch {
        guard attempt < Self.attempts, case .refused = error else { throw error }
      }
      _ = try control.resume()
    }
    throw .tookTooLong("the state of a template")
  }

  /// What the machine's trees are for now: nobody mounts them before the guest is told to.
  private func standIns(_ shares: [String], in place: String) throws(NovmError) -> ByteArguments {
    let (tree, file) = ("\(place)/tree", "\(place)/file")
    guard unsafe mkdir(tree, 0o755) == 0 else { throw .system(doing: "mkdir", path: tree, .current) }
    do throws(Errno) {
      _ = try FileDescriptor.open(file, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
    } catch {
      throw .system(doing: "open", path: file, error)
    }
    var arguments = ByteArguments()
    arguments.append("--read", "/=>\(tree)")
    for (index, tag) in shares.enumerated() {
      arguments.append("--share", "/\(index)=>\(tag.contains("/") ? file : tree):ro,cache=auto,tag=\(tag)")
    }
    return arguments
  }

  private func sockets(in place: String, _ log: KernelLog) -> ByteArguments {
    var arguments = ByteArguments()
    arguments.append("--vsock", "\(place)/vsock")
    arguments.append("--control", "\(place)/control")
    arguments.append("--com1", "fd:\(log.descriptor)")
    return arguments
  }
}
