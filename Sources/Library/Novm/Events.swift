import CLinux
import Glibc
import Host
import NovmKit

/// Tells of each state that a machine comes to, from the one that it is in on.
///
/// A machine that panicked is ``MachineState/failed(_:)`` with its kernel's words. That it is paused is not told. What goes wrong in
/// one that goes on is told, too, if that is asked for.
///
/// Unchecked: what changes is used with the lock held.
public final class Events: @unchecked Sendable {
  private let machine: Machine
  private let watch: FileWatch
  private let loop: FileDescriptor
  private let lock = Lock()
  private var last: MachineState?
  private var process: StreamCopy?
  private let incidents: IncidentLog?

  init(_ machine: Machine, incidents: Bool) throws(Failure) {
    self.machine = machine
    let directory = try machine.current().path
    self.incidents = incidents ? IncidentLog(directory) : nil
    do throws(Errno) {
      watch = try FileWatch()
      try watch.add(directory: directory)
      loop = FileDescriptor(owning: try checked(epoll_create1(Int32(EPOLL_CLOEXEC))))
      try checked(clinux_epoll_control(loop.raw, EPOLL_CTL_ADD, watch.raw, Self.readable))
    } catch {
      throw Failure(
        .system, "\(directory): cannot be watched: \(error.description)", about: directory, number: error.code)
    }
    watchLogs()
  }

  /// Has the descriptor tell of what is written there; what it does not tell of is looked for each second.
  private func watchLogs() {
    for file in incidents?.descriptors ?? [] { _ = try? watch.add(file) }
  }

  /// Readable when there may be something to tell, for the caller's own loop; stays the library's.
  public var descriptor: Int32 { loop.raw }

  /// The next state; what goes wrong between is passed over.
  ///
  /// - Returns: nil once it was told that the machine is over; one that is started anew is told of again by new events.
  /// - Throws: ``Failure/Code/timedOut``.
  public func next(_ patience: Duration = .forever) throws(Failure) -> MachineState? {
    guard case .state(let state)? = try nextEvent(until: patience.deadline, tellsIncidents: false) else { return nil }
    return state
  }

  /// The next state, or the next thing that went wrong.
  ///
  /// - Returns: nil once it was told that the machine is over.
  /// - Throws: ``Failure/Code/timedOut``.
  public func nextEvent(_ patience: Duration = .forever) throws(Failure) -> Event? {
    try nextEvent(until: patience.deadline, tellsIncidents: true)
  }

  /// A deadline that is over still has it look once.
  private func nextEvent(until deadline: MonotonicTime?, tellsIncidents: Bool) throws(Failure) -> Event? {
    while true {
      _ = watch.drain()
      var event = clinux_epoll_event()
      while unsafe clinux_epoll_wait(loop.raw, &event, 1, 0) > 0, event.descriptor != watch.raw {}
      watchProcess()
      let state = try machine.state
      let told = lock.withLock { () -> Event? in
        // What led to a state comes before it.
        if !tellsIncidents {
          incidents?.passOver(renewed: watchLogs)
        } else if let incident = incidents?.next(renewed: watchLogs) {
          return .incident(incident)
        }
        // Between its last words and its end it is on no way to a start.
        if state == last || (state == .starting && last == .running) { return nil }
        last = state
        return .state(state)
      }
      if let told { return told }
      if state.isOver { return nil }
      // Whether or not something was written meanwhile, which a guest can always see to.
      if let deadline, deadline <= .now {
        throw Failure(.timedOut, "nothing has become of \(machine.name)", about: machine.name)
      }
      var interest = pollfd(fd: loop.raw, events: Int16(POLLIN), revents: 0)
      // What is not told by a file, such as a kill, is looked for at times.
      let rest = deadline?.millisecondsLeft ?? Int64.max
      _ = unsafe poll(&interest, 1, Int32(min(rest, 1000)))
    }
  }

  /// EPOLLIN and EPOLLONESHOT.
  private static let readable: UInt32 = 1
  private static let once: UInt32 = 1 << 30

  /// Has the loop of the end of the process that looks after the machine.
  private func watchProcess() {
    lock.withLock {
      guard process == nil, let number = try? machine.endDescriptor() else { return }
      let opened = StreamCopy(owning: number)
      _ = clinux_epoll_control(loop.raw, EPOLL_CTL_ADD, opened.raw, Self.readable | Self.once)
      process = opened
    }
  }
}

extension Machine {
  /// - Parameter incidents: whether what goes wrong in it from now on is told, too (``Events/nextEvent(_:)``).
  public func events(incidents: Bool = false) throws(Failure) -> Events { try Events(self, incidents: incidents) }
}
