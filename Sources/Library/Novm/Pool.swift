import Glibc
import Host
import NovmKit

/// Machines of one description that are kept ready, to be taken and given back.
///
/// There are never more than its size, those that were taken included. Any thread may use it. It is closed when nobody has it any
/// more.
public final class Pool: Sendable {
  private let work: PoolWork

  /// Begins to start them; returns at once.
  ///
  /// - Parameters:
  ///   - description: without a name; its machines are gone when they have ended.
  ///   - size: 1 to 1024.
  /// - Throws: ``Failure/Code/argument``; what is wrong with the description is told by ``take(_:)``.
  public init(_ store: Store, _ description: Description, size: Int) throws(Failure) {
    guard (1...1024).contains(size) else { throw Failure(.argument, "size: 1 to 1024 machines", about: "size") }
    guard description.settings.name == nil else {
      throw Failure(.argument, "name: is one machine's, and a pool has several", about: "name")
    }
    var description = description
    try description.set("rm", "true")
    work = try PoolWork(store, description, size: size)
    try work.fill()
  }

  deinit { work.close() }

  /// Takes a machine that runs; waits if there is none now.
  ///
  /// - Throws: ``Failure/Code/timedOut``; what keeps machines from coming up, which the next call tries anew.
  public func take(_ patience: Duration = .forever) throws(Failure) -> Machine { try work.take(patience.deadline) }

  /// Gives one back that was taken.
  ///
  /// - Parameter isReused: whether the next who takes it finds what was done in it; or else it is ended, and another is made.
  /// - Throws: ``Failure/Code/argument`` for one that is not out.
  public func give(_ machine: Machine, isReused: Bool = false) throws(Failure) {
    try work.give(machine, isReused: isReused)
  }

  /// Ends those that are ready or on their way, and gives no more; those that are out are theirs who have them.
  public func close() { work.close() }
}

/// What threads of a pool share.
///
/// Unchecked: what changes is used with the lock held.
private final class PoolWork: @unchecked Sendable {
  private let store: Store
  private let description: Description
  private let size: Int
  private let lock = Lock()
  private var ready: [Machine] = []
  private var out: Set<String> = []
  /// Threads that bring one, and their machines once these are made.
  private var coming = 0
  private var onTheirWay: [Machine] = []
  /// Why the last one did not come.
  private var failure: Failure?
  private var isOver = false
  /// Readable while there is something to take or to tell.
  private let available: EventFD
  /// Readable once all is over.
  private let settled: EventFD

  init(_ store: Store, _ description: Description, size: Int) throws(Failure) {
    (self.store, self.description, self.size) = (store, description, size)
    do throws(Errno) { (available, settled) = (try EventFD(), try EventFD()) } catch {
      throw Failure(.system, "no descriptor: \(error.description)", about: "eventfd", number: error.code)
    }
  }

  /// Has as many come as are missing.
  ///
  /// - Parameter afresh: also if nobody was told yet why the last one did not come.
  func fill(afresh: Bool = true) throws(Failure) {
    let missing = lock.withLock { () -> Int in
      if isOver || (failure != nil && !afresh) { return 0 }
      let missing = max(0, size - ready.count - out.count - coming)
      coming += missing
      if missing > 0 { failure = nil }
      return missing
    }
    for begun in 0..<missing {
      do throws(Failure) {
        try Work.thread("novm-pool") { [self] in bring() }
      } catch {
        lock.withLock {
          coming -= missing - begun
          tell()
        }
        throw error
      }
    }
  }

  /// Makes and starts one, in place of another if one is given.
  private func bring(inPlaceOf old: Machine? = nil) {
    if let old { Self.discard(old) }
    var made: Machine?
    var fault: Failure?
    do throws(Failure) {
      let machine = try store.create(description)
      made = machine
      let isWanted = lock.withLock {
        onTheirWay.append(machine)
        return !isOver
      }
      if isWanted { try machine.start() }
    } catch {
      fault = error
    }
    let isUnwanted = lock.withLock {
      onTheirWay.removeAll { $0 === made }
      if let fault {
        failure = fault
      } else if let made, !isOver {
        ready.append(made)
        return false
      }
      return true
    }
    if isUnwanted, let made { Self.discard(made) }
    lock.withLock {
      coming -= 1
      tell()
    }
  }

  /// With the lock held.
  private func tell() {
    // Also where nothing is on its way that could be: who waits has it brought.
    let isIdle = coming == 0 && (failure != nil || out.count < size)
    if isOver || !ready.isEmpty || isIdle { available.signal() } else { available.drain() }
    if isOver, coming == 0 { settled.signal() }
  }

  func take(_ deadline: MonotonicTime?) throws(Failure) -> Machine {
    try fill()
    while true {
      try fill(afresh: false)
      let (machine, fault) = lock.withLock { () -> (Machine?, Failure?) in
        defer { tell() }
        if isOver { return (nil, Failure(.canceled, "the pool was closed")) }
        if let machine = ready.popLast() {
          out.insert(machine.identifier)
          return (machine, nil)
        }
        if coming > 0 { return (nil, nil) }
        defer { failure = nil }
        return (nil, failure)
      }
      if let fault { throw fault }
      if let machine {
        // It may have ended meanwhile.
        if case .running? = try? machine.state { return machine }
        try give(machine)
        continue
      }
      var interest = pollfd(fd: available.raw, events: Int16(POLLIN), revents: 0)
      let rest = deadline.map { Int32(clamping: $0.millisecondsLeft) } ?? -1
      if unsafe poll(&interest, 1, rest) == 0 { throw Failure(.timedOut, "no machine of the pool is ready yet") }
    }
  }

  func give(_ machine: Machine, isReused: Bool = false) throws(Failure) {
    let (isKept, replaces) = try lock.withLock { () throws(Failure) -> (Bool, Bool) in
      guard out.remove(machine.identifier) != nil else {
        throw Failure(.argument, "\(machine.name) was not taken from this pool", about: machine.name)
      }
      if isReused, !isOver {
        ready.append(machine)
        tell()
        return (true, false)
      }
      if !isOver { coming += 1 }
      return (false, !isOver)
    }
    if replaces {
      do throws(Failure) {
        try Work.thread("novm-pool") { [self] in bring(inPlaceOf: machine) }
      } catch _ {
        // The next who takes one has another brought.
        Self.discard(machine)
        lock.withLock {
          coming -= 1
          tell()
        }
      }
    } else if !isKept {
      Self.discard(machine)
    }
  }

  func close() {
    let (first, last) = lock.withLock { () -> (Bool, [Machine]) in
      let first = !isOver
      isOver = true
      defer { ready = [] }
      tell()
      return (first, ready + onTheirWay)
    }
    if first { for machine in last { Self.discard(machine) } }
    var interest = pollfd(fd: settled.raw, events: Int16(POLLIN), revents: 0)
    while unsafe poll(&interest, 1, -1) < 0 {}
  }

  private static func discard(_ machine: Machine) {
    try? machine.kill()
    try? machine.remove()
  }
}
