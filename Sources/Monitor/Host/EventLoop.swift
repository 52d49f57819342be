import CLinux
import Glibc

/// What is told when a descriptor is ready. Called on the loop's thread.
public protocol EventHandler: AnyObject {
  /// - Parameter events: what epoll_wait(2) reported; errors and hang-ups come unasked.
  func ready(_ events: EventLoop.Events)
}

/// One thread that waits for many descriptors: epoll(7), level-triggered unless asked for.
///
/// Everything that a handler touches belongs to the thread that calls `run`, and before that to the one that made the loop. Other
/// threads come in through `perform`.
///
/// For as long as the loop is held, only what was added for always is served; what comes about for all else waits in the kernel,
/// and none of it is lost.
public final class EventLoop: @unchecked Sendable {
  /// The bits of `struct epoll_event`.
  public struct Events: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let readable = Events(rawValue: 0x001)  // EPOLLIN
    public static let writable = Events(rawValue: 0x004)  // EPOLLOUT
    public static let error = Events(rawValue: 0x008)  // EPOLLERR
    public static let hangUp = Events(rawValue: 0x010)  // EPOLLHUP
    public static let readHangUp = Events(rawValue: 0x2000)  // EPOLLRDHUP
    /// Asks to be told only when something comes about, not for as long as it lasts.
    public static let edgeTriggered = Events(rawValue: 1 << 31)  // EPOLLET
  }

  private let epoll: FileDescriptor
  /// Of `epoll` what is served always.
  private let always: FileDescriptor
  private var isHeld = false
  private let wake: EventFD
  private let lock = Lock()
  private var registrations: [Int32: (handler: any EventHandler, isAlways: Bool)] = [:]
  private var work: [() -> Void] = []
  private var isStopped = false
  /// How often it has waited. Of its own thread, or once `run` has returned.
  package private(set) var turns = 0
  /// The only one on which work is done.
  private var thread = pthread_self()

  public init() throws(Errno) {
    epoll = FileDescriptor(owning: try checked(epoll_create1(Int32(EPOLL_CLOEXEC))))
    always = FileDescriptor(owning: try checked(epoll_create1(Int32(EPOLL_CLOEXEC))))
    wake = try EventFD()
    try control(EPOLL_CTL_ADD, wake.raw, .readable)
  }

  /// Waits for `events` of a descriptor, which stays its owner's: remove it before closing it.
  ///
  /// - Parameter isAlways: also while the loop is held.
  public func add(
    _ descriptor: Int32, _ events: Events, _ handler: any EventHandler, isAlways: Bool = false
  ) throws(Errno) {
    lock.withLock { registrations[descriptor] = (handler, isAlways) }
    do throws(Errno) {
      try control(EPOLL_CTL_ADD, descriptor, events)
    } catch {
      remove(descriptor)
      throw error
    }
  }

  /// Waits for other events of a descriptor.
  public func modify(_ descriptor: Int32, _ events: Events) throws(Errno) {
    try control(EPOLL_CTL_MOD, descriptor, events)
  }

  /// Forgets a descriptor: its handler is not called again, not even for events that were already reported.
  public func remove(_ descriptor: Int32) {
    try? control(EPOLL_CTL_DEL, descriptor, [])
    lock.withLock { registrations[descriptor] = nil }
  }

  /// Serves nothing from now on but what was added for always, and work that is posted. In posted work, on the loop's thread: what
  /// was reported in the round before is done by then.
  package func hold() { isHeld = true }

  /// Serves everything again. On the loop's thread.
  package func letGo() { isHeld = false }

  /// Runs `body` on the loop's thread, later, in the order of the calls.
  public func post(_ body: @escaping () -> Void) {
    lock.withLock { work.append(body) }
    wake.signal()
  }

  /// Runs `body` on the loop's thread and returns when it has ended. At once when called there. It takes nothing that the host
  /// may be short of, since there is no other thread that could do it.
  public func perform(_ body: () -> Void) {
    guard !isOnThread else { return body() }
    withoutActuallyEscaping(body) { body in
      let call = Call(body)
      post { call.run() }
      call.wait()
    }
  }

  private var isOnThread: Bool { pthread_equal(lock.withLock { thread }, pthread_self()) != 0 }

  /// A closure that is let go of before its caller goes on, though the work that ran it may live a moment longer.
  private final class Call {
    private var body: (() -> Void)?
    private let lock = Lock()
    private let end = Condition()
    private var isOver = false

    init(_ body: @escaping () -> Void) { self.body = body }

    func run() {
      body?()
      body = nil
      lock.withLock {
        isOver = true
        end.broadcast()
      }
    }

    func wait() {
      lock.withLock {
        while !isOver { end.wait(lock) }
      }
    }
  }

  /// Serves until `stop`.
  public func run() throws(Errno) {
    lock.withLock { thread = pthread_self() }
    var events = [clinux_epoll_event](repeating: clinux_epoll_event(), count: 32)
    while !isStopped {
      turns &+= 1
      let number = isHeld ? always.raw : epoll.raw
      let capacity = Int32(events.count)
      let count = try retryingInterrupts { unsafe clinux_epoll_wait(number, &events, capacity, -1) }
      for event in events[..<Int(count)] {
        let descriptor = event.descriptor
        if descriptor == wake.raw {
          wake.drain()
          continue
        }
        // Looked up for each event: an earlier handler of this round may have removed it.
        let handler = lock.withLock { registrations[descriptor]?.handler }
        handler?.ready(Events(rawValue: event.events))
      }
      for body in lock.withLock({ takeWork() }) { body() }
    }
  }

  /// Makes `run` return. From any thread.
  public func stop() {
    post { self.isStopped = true }
  }

  private func takeWork() -> [() -> Void] {
    defer { work = [] }
    return work
  }

  /// In both sets where it is always served.
  private func control(_ operation: Int32, _ descriptor: Int32, _ events: Events) throws(Errno) {
    try checked(clinux_epoll_control(epoll.raw, operation, descriptor, events.rawValue))
    guard descriptor == wake.raw || lock.withLock({ registrations[descriptor]?.isAlways }) == true else { return }
    try checked(clinux_epoll_control(always.raw, operation, descriptor, events.rawValue))
  }
}
