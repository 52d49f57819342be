import Glibc
import Host
import NovmKit
import Store

/// A machine of the store: a process of its own with all that belongs to it.
///
/// Any thread may use it, and several at once. It is not ended when nobody holds this value any more, but when the program
/// ends, unless it was started to go on then.
public final class Machine: Sendable {
  /// Twelve hexadecimal digits.
  public let identifier: String
  /// What people call it; its identifier if it was given no name.
  public let name: String

  let machines: StoreMachines
  private let record: MachineRecord
  private let pending: Pending

  /// The lock on a machine that is not to outlive this program unless it is started.
  private final class Pending: @unchecked Sendable {
    private let lock = Lock()
    private var directory: MachineDirectory?

    init(_ directory: MachineDirectory?) { self.directory = directory }

    func take() -> MachineDirectory? {
      lock.withLock {
        defer { directory = nil }
        return directory
      }
    }

    var isThere: Bool { lock.withLock { directory != nil } }
  }

  init(_ record: MachineRecord, of machines: StoreMachines, pending: MachineDirectory? = nil) {
    identifier = record.identifier
    name = record.name
    self.record = record
    self.machines = machines
    self.pending = Pending(pending)
  }

  /// nil if it was removed.
  private func renewed() throws(Failure) -> MachineRecord? {
    try told(NovmError.store) { () throws(StoreError) in try machines.store.renewed(record) }
  }

  /// As it is now.
  func current() throws(Failure) -> MachineRecord {
    let renewed = try renewed()
    guard let renewed else { throw Failure(.missing, "the machine \(name) was removed", about: name) }
    return renewed
  }

  // MARK: Its life

  public var state: Novm.MachineState {
    get throws(Failure) {
      if pending.isThere { return .created }
      guard let renewed = try renewed() else { return .removed }
      return Novm.MachineState(MachineStatus(renewed, NovmKit.MachineState(renewed)))
    }
  }

  /// Starts it; returns once it takes commands, and its own command runs if it has one.
  ///
  /// - Parameters:
  ///   - isDetached: whether it goes on when this program ends.
  ///   - patience: no longer is that waited for; the machine is then still on its way.
  /// - Throws: ``Failure/Code/running``, ``Failure/Code/machine`` with what kept it from that, ``Failure/Code/timedOut``.
  public func start(isDetached: Bool = false, patience: Duration = .forever) throws(Failure) {
    let deadline = patience.deadline
    try told { () throws(NovmError) in
      var machines = machines
      machines.host?.isDetached = isDetached
      if let directory = pending.take() { return try machines.start(directory, until: deadline) }
      try machines.start(machines.open(record), until: deadline)
    }
  }

  /// Ends its command by SIGTERM, or powers it off if it has none, and waits for its end.
  ///
  /// - Parameter grace: what it has for that; then it is ended, with what it holds written back.
  public func stop(grace: Duration = .seconds(10)) throws(Failure) {
    let record = try current()
    if pending.isThere { return }
    try told { () throws(NovmError) in try machines.stop(record, grace: Double(grace.milliseconds) / 1000) }
  }

  /// Ends it as it stands, and waits for that.
  public func kill() throws(Failure) {
    let record = try current()
    if pending.isThere { return }
    try told { () throws(NovmError) in try machines.kill(record) }
  }

  /// Waits until the last of its processes has ended.
  ///
  /// - Returns: how it ended.
  /// - Throws: ``Failure/Code/timedOut``.
  public func wait(_ patience: Duration = .forever) throws(Failure) -> Novm.MachineState {
    let deadline = patience.deadline
    if !pending.isThere {
      let isOver = try told { () throws(NovmError) in try machines.awaitEnd(record, until: deadline) }
      if !isOver { throw Failure(.timedOut, "\(name) has not ended yet", about: name) }
    }
    return try state
  }

  /// Removes it with what it wrote. It must not run.
  public func remove() throws(Failure) {
    if let directory = pending.take() {
      return try told(NovmError.store) { () throws(StoreError) in try directory.remove() }
    }
    try told { () throws(NovmError) in try machines.remove(record) }
  }

  /// A descriptor that is readable once the process that looks after it has ended, for the caller's own loop. It is the
  /// caller's to close.
  ///
  /// - Throws: ``Failure/Code/notRunning``.
  public func endDescriptor() throws(Failure) -> Int32 {
    let record = try current()
    guard let process = SupervisorProcess.of(record) else { throw Failure(NovmError.notRunning(name)) }
    return process.takeDescriptor().release()
  }

  /// Stops its processors; its memory stays.
  public func pause() throws(Failure) { try control { (control) throws(NovmError) in _ = try control.pause() } }

  /// Lets them go on.
  public func resume() throws(Failure) { try control { (control) throws(NovmError) in _ = try control.resume() } }

  private func control(_ body: (MonitorControl) throws(NovmError) -> Void) throws(Failure) {
    let record = try current()
    guard let control = MonitorControl(record) else { throw Failure(NovmError.notRunning(name)) }
    try told { () throws(NovmError) in try body(control) }
  }

  // MARK: What runs in it

  /// Starts a command. It waits while the machine is paused.
  public func run(_ command: Command) throws(Failure) -> RunningCommand {
    guard !pending.isThere, let vsock = record.runtime.map({ "\($0)/vsock" }) else {
      throw Failure(NovmError.notRunning(name))
    }
    return try RunningCommand(command, vsock: vsock, machine: name)
  }

  /// A stream to a port of the guest's vsock. The descriptor is the caller's to close; it blocks.
  public func connect(to port: UInt32, patience: Duration = .seconds(10)) throws(Failure) -> Int32 {
    let vsock = try vsock()
    let deadline = patience.deadline ?? .after(milliseconds: UInt64(Int32.max))
    return try told { () throws(NovmError) in
      try GuestPort.connect(vsock: vsock, port: port, until: deadline).release()
    }
  }

  /// What it takes of the host, and what its guest says of itself; nil where its monitor does not run.
  public func usage() throws(Failure) -> Usage? {
    let record = try current()
    let status = MachineStatus(record, NovmKit.MachineState(record))
    return MachineUsage.measure(record, status: status, since: nil, takesSignals: false).map { Usage($0.usage) }
  }

  func vsock() throws(Failure) -> String {
    let record = try current()
    if pending.isThere { throw Failure(NovmError.notRunning(name)) }
    return try told { () throws(NovmError) in try machines.vsock(of: record) }
  }
}
