import CGuest

/// The descriptors that one turn of the loop waits for, each with the owner to tell.
struct Poll<Owner> {
  /// What a descriptor is ready for. An error or a hang-up counts as both: the next read or write tells which it is.
  struct Readiness {
    let readable: Bool
    let writable: Bool
  }

  private var entries: [pollfd] = []
  private var owners: [Owner] = []

  /// Waits for the descriptor to become readable or writable, as asked; for hang-ups in any case, if for any of these.
  mutating func add(
    _ descriptor: Int32, readable: Bool = false, writable: Bool = false, hangUp: Bool = false, for owner: Owner
  ) {
    guard readable || writable || hangUp else { return }
    let events = (readable ? POLLIN : 0) | (writable ? POLLOUT : 0)
    entries.append(pollfd(fd: descriptor, events: Int16(events), revents: 0))
    owners.append(owner)
  }

  /// poll(2): waits until something is ready, or for the milliseconds given; nil is for ever.
  mutating func wait(milliseconds: Int64?) throws(SystemError) -> [(owner: Owner, readiness: Readiness)] {
    let timeout = milliseconds.map { Int32(clamping: max(0, $0)) } ?? -1
    let count = unsafe entries.withUnsafeMutableBufferPointer { unsafe poll($0.baseAddress, nfds_t($0.count), timeout) }
    do throws(SystemError) {
      guard try check(count) > 0 else { return [] }
    } catch {
      // A signal ends the wait as anything else does: the loop looks at everything anew.
      if error == .interrupted { return [] }
      throw error
    }
    var ready: [(owner: Owner, readiness: Readiness)] = []
    for index in 0..<entries.count where entries[index].revents != 0 {
      let events = Int32(entries[index].revents)
      let ended = events & (POLLERR | POLLHUP | POLLNVAL) != 0
      let readiness = Readiness(readable: ended || events & POLLIN != 0, writable: ended || events & POLLOUT != 0)
      ready.append((owners[index], readiness))
    }
    return ready
  }
}
