package import GuestMemory
internal import LittleEndian
internal import Virtio

/// `struct virtio_net_hdr`, which precedes each frame (Virtio 1.2, 5.1.6): what is undone of it. Its fields are the
/// backend's affair, except for the last one.
package enum NetworkHeader {
  package static let size = 12
  /// le16 num_buffers: how many buffers the frame lies in.
  private static let bufferCountOffset = 10

  /// Says that nothing is undone. `slices` begin with the header.
  package static func clear(_ slices: [GuestSlice]) {
    slices.forEachPiece(count: size) { $0.fill() }
  }

  static func setBufferCount(_ count: Int, _ slices: [GuestSlice]) {
    let count = UInt16(truncatingIfNeeded: count)
    // Drivers leave room for the whole header in one piece; any other cut is gathered first.
    if let first = slices.first, first.count >= size {
      try? first.store(count, at: bufferCountOffset)
    } else {
      slices.copy(from: littleEndian(count), at: bufferCountOffset)
    }
  }
}
