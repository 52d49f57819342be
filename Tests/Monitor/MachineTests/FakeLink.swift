import Devices
import GuestMemory
import VirtioTesting

@testable import Machine

/// A link that takes everything, unless it is told otherwise, and gives what the test says.
final class FakeLink: NetworkBackend {
  var frames: [[UInt8]] = []
  /// What it took, without headers.
  private(set) var sent: [[UInt8]] = []
  /// Called before it looks at what it is to take, and tells whether it takes it now.
  var takes: () -> Bool = { true }
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

  func send(pair: Int, _ slices: [GuestSlice]) -> NetworkTransfer {
    guard takes() else { return .blocked }
    let count = slices.byteCount
    sent.append(slices.bytes(at: NetworkHeader.size, count: count - NetworkHeader.size) ?? [])
    return .moved(count)
  }
}
