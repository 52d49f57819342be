import Glibc
import Host

/// What a source waits for: one descriptor and bits of poll(2).
package struct PollInterest {
  package var descriptor: Int32
  package var events: Int32

  package init(_ descriptor: Int32, _ events: Int32) {
    self.descriptor = descriptor
    self.events = events
  }
}

/// Something that waits for a descriptor.
package protocol PollSource: AnyObject {
  /// nil while there is nothing to wait for.
  var interest: PollInterest? { get }
  /// When `expired` is to be called, on the clock of ``MonotonicTime``; nil for never.
  var deadline: MonotonicTime? { get }
  func ready(_ events: Int32) throws(NovmError)
  func expired() throws(NovmError)
}

extension PollSource {
  package var deadline: MonotonicTime? { nil }
  package func expired() throws(NovmError) {}
}

/// One thread that moves bytes between many descriptors: poll(2), which unlike epoll(7) takes regular files too, since
/// standard input and output may be such.
package final class PollLoop {
  private var sources: [any PollSource] = []

  package init() {}

  package func add(_ source: any PollSource) { sources.append(source) }

  package func remove(_ source: any PollSource) { sources.removeAll { $0 === source } }

  /// Serves the sources until `done` holds after some of them were served, or the deadline has passed.
  ///
  /// - Returns: whether `done` holds.
  @discardableResult
  package func run(until deadline: MonotonicTime? = nil, _ done: () -> Bool) throws(NovmError) -> Bool {
    while !done() {
      let waiting = sources.compactMap { source in source.interest.map { (source, $0) } }
      let due = (sources.compactMap(\.deadline) + [deadline].compactMap { $0 }).min()
      var descriptors = waiting.map { pollfd(fd: $1.descriptor, events: Int16($1.events), revents: 0) }
      let count = unsafe poll(&descriptors, nfds_t(descriptors.count), due.map { $0.millisecondsFromNow } ?? -1)
      if count < 0 {
        if Errno.current == Errno(EINTR) { continue }
        throw .call("poll", .current)
      }
      for (index, (source, _)) in waiting.enumerated() where descriptors[index].revents != 0 {
        // An earlier source of this round may have removed a later one.
        guard sources.contains(where: { $0 === source }) else { continue }
        try source.ready(Int32(descriptors[index].revents))
      }
      let now = MonotonicTime.now
      for source in sources {
        if let deadline = source.deadline, deadline <= now { try source.expired() }
      }
      if let deadline, deadline <= now { return done() }
    }
    return true
  }
}
