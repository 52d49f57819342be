import GuestMemory
import State

/// A queue of a device: its registers, and the ring once the driver has set it up.
///
/// At most one thread works on a queue at a time; who that is, is the machine's affair.
@safe
package final class VirtQueue {
  /// Position among the device's queues.
  package let index: Int
  /// The most entries that the driver may choose.
  package let maximumSize: UInt16

  /// What the driver wrote to the queue registers of its transport.
  package internal(set) var size: UInt16
  var layout = SplitQueue.Layout()
  var isReady = false

  /// Who serves the queue when it asks for itself.
  package var notifier: (any QueueNotifier)?

  private var owned: SplitQueue? {
    didSet { unsafe ring = owned.map { unsafe Unmanaged.passUnretained($0) } }
  }
  /// `owned` again: its references would be counted for each step of each chain.
  private var ring: Unmanaged<SplitQueue>?
  private let interrupt: any QueueInterrupt
  private let limit: RequestLimit
  /// Of a queue that was restored: heads of the chains that the device has again.
  private var walkedAgain: [UInt16] = []
  /// Of a queue that was restored: a chain of the device's is none any more.
  private(set) var lostChains = false

  package init(index: Int, maximumSize: UInt16, limit: RequestLimit, interrupt: any QueueInterrupt) {
    self.index = index
    self.maximumSize = maximumSize
    self.limit = limit
    self.size = maximumSize
    self.interrupt = interrupt
  }

  /// Whether the driver has set up this queue.
  package var isLive: Bool { owned != nil }

  /// Takes the next chain; false if there is none or the queue is not live.
  ///
  /// - Throws: what the driver did wrong. The queue is dead from then on, until the reset.
  package func pop(_ chain: inout DescriptorChain) throws(QueueFault) -> Bool {
    guard let ring = unsafe ring else { return false }
    let outcome = unsafe ring._withUnsafeGuaranteedRef { ring in
      Result { () throws(QueueFault) in try ring.next(&chain) }
    }
    if case .failure = outcome { owned = nil }
    return try outcome.get()
  }

  /// Gives `chain` back. The interrupt waits for `notifyDriver`.
  package func push(_ chain: DescriptorChain, written: Int = 0) {
    push(head: chain.head, written: written)
  }

  /// Gives back the chain that began at `head`.
  package func push(head: UInt16, written: Int = 0) {
    unsafe ring?._withUnsafeGuaranteedRef { $0.complete(head: head, written: UInt32(clamping: written)) }
  }

  /// Gives back the chain that began at `head`, which the driver sees with all others at `publish`.
  package func stage(head: UInt16, written: Int) {
    unsafe ring?._withUnsafeGuaranteedRef { $0.stage(head: head, written: UInt32(clamping: written)) }
  }

  /// Shows the driver what was staged.
  package func publish() { unsafe ring?._withUnsafeGuaranteedRef { $0.publish() } }

  /// Interrupts the driver if it wants to hear of what was pushed since the last call.
  package func notifyDriver() {
    if let owned, owned.takeInterrupt() { interrupt.signal(queue: index) }
  }

  /// Chains that were taken and not given back.
  package var underWay: Int { owned.map { Int($0.underWay) } ?? 0 }

  /// Whether a chain waits.
  package var hasWork: Bool { owned.map { !$0.isEmpty } ?? false }

  /// Handles every waiting chain with notifications off, then arms them again: nothing is missed, nothing is polled.
  ///
  /// A driver that fills the queue as fast as it is emptied does not hold the thread: after a few rounds of the ring the
  /// rest waits for a notification that the queue gives itself.
  ///
  /// - Parameters:
  ///   - turn: after what that is; some rounds of the ring if nil.
  ///   - body: serves one chain and returns the bytes written.
  package func drain(
    _ chain: inout DescriptorChain, turn: Turn? = nil, _ body: (DescriptorChain) throws(QueueFault) -> Int
  ) throws(QueueFault) {
    var turn = turn ?? Turn(requests: 4 * Int(size))
    repeat {
      disableNotifications()
      while try pop(&chain) {
        push(chain, written: try body(chain))
        notifyDriver()
        turn.spend(chain)
        if turn.isOver, requestService() { return }
      }
    } while !enableNotifications()
  }

  /// Has the queue processed again soon, as if the driver had notified it; false where nobody can.
  package func requestService() -> Bool {
    guard let notifier else { return false }
    notifier.notified(queue: UInt32(index))
    return true
  }

  /// Asks the driver not to notify.
  package func disableNotifications() { owned?.disableNotifications() }

  /// Asks the driver to notify the next chain; false if one waits already.
  package func enableNotifications() -> Bool { owned?.enableNotifications() ?? true }

  /// Makes the ring from the registers.
  package func activate(_ memory: GuestMemory, features: Features) throws(QueueFault) {
    guard isReady else { return }
    guard size <= maximumSize else { throw .size(size) }
    owned = try SplitQueue(memory, size: size, layout: layout, features: features, limit: limit)
  }

  /// Takes the ring away again; the registers stay.
  func deactivate() { owned = nil }

  // MARK: State

  /// Where the device is in a live queue's rings.
  var position: SplitQueue.Position? { owned?.position }

  func go(to position: SplitQueue.Position) -> Bool { owned?.go(to: position) ?? false }

  /// Gives the device a chain again that it held when its state was written.
  ///
  /// - Returns: false if the driver has broken it meanwhile, as it may, or had broken the queue before. The queue is dead then.
  /// - Throws: for one that cannot be under way.
  package func walkAgain(head: UInt16, _ chain: inout DescriptorChain, _ fault: StateError) throws(StateError) -> Bool {
    if lostChains { return false }
    guard head < size, isReady else { throw fault }
    guard let owned else {
      lostChains = true
      return false
    }
    guard !walkedAgain.contains(head), walkedAgain.count < Int(owned.underWay) else {
      throw fault
    }
    walkedAgain.append(head)
    do throws(QueueFault) {
      try owned.walkAgain(head, &chain)
      return true
    } catch {
      loseChains()
      return false
    }
  }

  /// What was walked again is nothing that the device takes: as if it could not be walked.
  package func loseChains() {
    owned = nil
    lostChains = true
  }

  /// Whether the device has all chains again that are under way.
  package var isWhole: Bool { walkedAgain.count == underWay || lostChains }

  /// Sets the registers by hand, where there is no transport.
  package func configure(size: UInt16, layout: SplitQueue.Layout) {
    self.size = size
    self.layout = layout
    isReady = true
  }

  package func reset() {
    owned = nil
    size = maximumSize
    layout = SplitQueue.Layout()
    isReady = false
    walkedAgain = []
    lostChains = false
  }
}

/// How a queue reaches its driver: an interrupt that says that there are used buffers.
package protocol QueueInterrupt: AnyObject {
  func signal(queue: Int)
}

/// How a queue gets the attention of whoever serves it.
package protocol QueueNotifier: AnyObject {
  /// Has `process` called for a queue, soon and on its thread. From any thread; `queue` may be the guest's word.
  func notified(queue: UInt32)
}
