import Devices
import GuestMemory
import VirtioTesting

@testable import Machine

/// A link that takes everything and gives what the test says.
final class FakeLink: NetworkBackend {
  var frames: [[UInt8]] = []
  private var last: [UInt8] = []

  let offloads: NetworkOffloads = []
  func setReceiveOffloads(_ offloads: NetworkOffloads) {}
  func setActivePairs(_ count: Int) {}

  func receive(pair: Int, into slices: [GuestSlice]) -> NetworkTransfer {
    guard !frames.isEmpty else { return .blocked }
    last = [UInt8](repeating: 0, count: 12) + frames.removeFirst()
    slices.copy(from: last)
    return .moved(last.count)
  }

  func copyReceived(pair: Int, from offset: Int, into slices: [GuestSlice]) {
    slices.copy(from: Array(last[offset...]))
  }

  func send(pair: Int, _ slices: [GuestSlice]) -> NetworkTransfer { .moved(slices.byteCount) }
}
