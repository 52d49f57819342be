internal import Virtio

/// A receive and a transmit queue, and what of theirs is with the device.
final class NetworkPair {
  let index: Int

  /// Whether the host may have a frame: until a transfer says that it has none.
  var isReadable = true
  var buffers = ReceiveBuffers()
  /// The length of a frame that is being received, with its header, and how much of it is in `buffers` already.
  var frame: Int?
  var filled = 0
  /// How long the next frame may be, by the last ones: large ones rarely come alone.
  private(set) var expected = 0

  /// A frame that the host has not taken yet.
  var output = DescriptorChain()
  var holdsOutput = false

  init(_ index: Int) { self.index = index }

  func expect(_ length: Int) { expected = max(length, expected - expected / 8) }

  func reset() {
    isReadable = true
    buffers.removeAll()
    frame = nil
    holdsOutput = false
    expected = 0
  }
}
