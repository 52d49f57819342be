import CHypercall
import HypercallABI

/// What a program offers others: portals to one handler, one for each of the root task's programs, who is known by its number as
/// the portal's id. One call is answered at a time; the next caller helps.
///
/// What a client shares with the service is the service's own, which the answer delegates to it: nobody can take it away from whoever
/// works on it.
package enum Service {
  private static let handler: UInt64 = 0x13f
  private static let portals: UInt64 = 0x140
  private static let message: UInt64 = 0x5000_0000
  /// A semaphore that nobody ups: who waits there waits for good.
  package static let never: UInt64 = 0x13e

  /// Answers' first words.
  package static let done: UInt64 = 0
  package static let refused: UInt64 = 1
  /// The device's own fault.
  package static let failed: UInt64 = 2

  /// Calls come to `user_portal` from now on. False where the kernel has too little. By the caller's message block.
  package static func offer(_ block: MessageBlock) -> Bool {
    let stack = UnsafeMutableRawPointer.allocate(byteCount: 16384, alignment: 4096)
    let top = UInt64(UInt(bitPattern: stack)) + 16384 - 16
    h_store(top, message)
    var status = Kernel.createContext(
      handler, block: message, processor: Grants.processor(0), stack: top, events: Grants.events(0))
    status |= Kernel.createSemaphore(never)
    for client in 0..<UInt64(Grants.programLimit) {
      status |= Kernel.createPortal(portals + client, for: handler, id: client)
    }
    block.setCounts(untyped: 0, typed: 1)
    let range = CapabilityRange(.objects, base: portals, order: 3, rights: Right.call | Right.crossProcessors)
    block.setItem(0, TypedItem(range, word: 1))
    return status | Kernel.call(Grants.ready) == 0
  }

  /// Answers with words.
  package static func answer(_ block: MessageBlock, _ words: UInt64...) {
    for (index, word) in words.enumerated() { block.setWord(index, word) }
    block.setCounts(untyped: UInt64(words.count))
  }

  /// Lets the client have a range of the service's, too, through the window that it has opened.
  package static func give(_ range: CapabilityRange, hotspot: UInt64 = 0, in block: MessageBlock) {
    let count = block.typed
    block.setItem(Int(count), TypedItem(range, word: hotspot << 12 | 1))
    block.setCounts(untyped: block.untyped, typed: count + 1)
  }

  /// Calls the service that is this one of the caller's, with words; what it gives goes into the window.
  package static func call(
    _ index: Int, _ words: UInt64..., window: CapabilityRange = .null, by block: MessageBlock
  ) -> UInt64 {
    for (index, word) in words.enumerated() { block.setWord(index, word) }
    block.setCounts(untyped: UInt64(words.count))
    block.delegateWindow = window
    return Kernel.call(Grants.service(index))
  }
}
