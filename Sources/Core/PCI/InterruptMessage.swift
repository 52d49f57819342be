/// An interrupt as a write to memory: four bytes at an address that the root complex keeps for them (PCI Local Bus 3.0, 6.8).
package struct InterruptMessage: Equatable {
  package var address: UInt64
  package var data: UInt32

  package init(address: UInt64, data: UInt32) {
    self.address = address
    self.data = data
  }
}

/// Where messages of interrupts go. Called on any thread.
package protocol MessageSink: AnyObject {
  func send(_ message: InterruptMessage)
}
