import CLinux
import Glibc
import Host
import NovmKit

/// Tells of each state that a machine comes to, from the one that it is in on.
///
/// A machine that panicked is ``MachineState/failed(_:)`` with its kernel's words. That it is paused is not told.
///
/// Unchecked: what changes is used with the lock held.
public final class Events: @unchecked Sendable {
  private let machine: Machine
  private let watch: FileWatch
  private let loop: FileDescriptor
  private let lock = Lock()
  private var last: MachineState?
  private var process: StreamCopy?

  init(_ machine: Machine) throws(Failure) {
    self.machine = machine
    let directory = try machine.current().path
    do throws(Errno) {
      watch = try FileWatch()
      try watch.add(directory: directory)
      loop = FileDescriptor(owning: try checked(epoll_create1(Int32(EPOLL_CLOEXEC))))
      try checked(clinux_epoll_control(loop.raw, EPOLL_CTL_ADD, watch.raw, Self.readable))
    } catch {
      throw Failure(
        .system, "\(directory): cannot be watched: \(error.description)", about: directory, number: error.code)
    }
  }

  /// Readable when there may be something to tell, for the caller's own loop; stays the library's.
  public var descriptor: Int32 { loop.raw }

  /// The next state.
  ///
  /// - Returns: nil once it was told that the machine is over; one that is started anew is told of again by new events.
  /// - Throws: ``Failure/Code/timedOut``.
  public func next(_ patience: Duration = .forever) throws(Failure) -> MachineState? {
    let deadline = patience.deadline
    while true {
      _ = watch.drain()
      var event = clinux_epoll_event()
      while unsafe clinux_epoll_wait(loop.raw, &event, 1, 0) > 0, event.descriptor != watch.raw {}
      watchProcess()
      let state = try machine.state
      let told = lock.withLock { () -> MachineState? in
        // Between its last words and its end it is on no way to a start.
        if state == last || (state == .starting && last == .running) { return nil }
        last = state
        return state
      }
      if let told { return told }
      if state.isOver { return nil }
      var interest = pollfd(fd: loop.raw, events: Int16(POLLIN), revents: 0)
      // What is not told by a file, such as a kill, is looked for at times.
      let rest = deadline?.millisecondsLeft ?? Int64.max
      let count = unsafe poll(&interest, 1, Int32(min(rest, 1000)))
      if count == 0, let deadline, deadline <= .now {
        throw Failure(.timedOut, "nothing has become of \(machine.name)", about: machine.name)
      }
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
  public func events() throws(Failure) -> Events { try Events(self) }
}
