/// One connection between a guest's port and a host's, as the device keeps it. An endpoint uses it as a name.
package final class VsockStream {
  enum Phase {
    /// The host asked to connect; the guest has not answered.
    case requested
    case open
    /// The guest knows it no more. It lives on only while the host has yet to take what the guest sent.
    case forgotten
  }

  /// Control packets that are owed to the guest, each at most once.
  struct Owed: OptionSet {
    let rawValue: UInt8
    static let request = Owed(rawValue: 1)
    static let response = Owed(rawValue: 2)
    static let creditUpdate = Owed(rawValue: 4)
    static let creditRequest = Owed(rawValue: 8)
    static let shutdown = Owed(rawValue: 16)
  }

  package let hostPort: UInt32
  package let guestPort: UInt32

  var phase: Phase
  var endpoint: (any VsockEndpoint)?
  var credit: VsockCredit
  var owed: Owed = []

  /// What the host has not taken yet; at most `credit.allocation` bytes.
  var backlog = ByteQueue()

  /// The host may have something to read.
  var isReadable = false
  /// The host sends nothing more.
  var hostEnded = false
  /// The host takes nothing more.
  var hostDeaf = false
  /// What the guest said that it will not do any more (`VsockHeader.Shutdown`).
  var guestShutdown: UInt32 = 0
  /// The guest was asked for credit, and has given none since.
  var askedForCredit = false
  /// It waits in the device's round.
  var isScheduled = false

  init(hostPort: UInt32, guestPort: UInt32, phase: Phase, allocation: UInt32) {
    self.hostPort = hostPort
    self.guestPort = guestPort
    self.phase = phase
    credit = VsockCredit(allocation: allocation)
  }

  var guestReceives: Bool { guestShutdown & VsockHeader.Shutdown.receive == 0 }
  var guestSends: Bool { guestShutdown & VsockHeader.Shutdown.send == 0 }

  /// Whether data may be read from the host on the guest's behalf.
  var wantsInput: Bool { phase == .open && isReadable && !hostEnded && guestReceives }

  /// Whether the device has a packet to send for it, or may have one.
  var hasWork: Bool {
    if phase == .forgotten { return false }
    return !owed.isEmpty || wantsInput && (credit.sendable > 0 || !askedForCredit)
  }

  /// The flags of a shutdown packet now.
  var shutdownFlags: UInt32 {
    (hostEnded ? VsockHeader.Shutdown.send : 0) | (hostDeaf ? VsockHeader.Shutdown.receive : 0)
  }
}
