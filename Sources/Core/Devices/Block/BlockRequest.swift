package import GuestMemory
internal import LittleEndian
internal import Virtio

/// One request of a disk's driver, from when it was taken off its queue until it goes back. Reused from request to request.
///
/// It is with one thread at a time, and who has access to a part of it calls nobody that might: so the language need not check
/// that as the program runs.
package final class BlockRequest {
  /// The queue that it came from.
  package let queue: Int
  @safe @exclusivity(unchecked) package private(set) var operation = BlockOperation.flush
  /// The guest's memory for what is read, or with what is to be written.
  @safe @exclusivity(unchecked) package private(set) var data: [GuestSlice] = []
  /// Bytes in it.
  @safe @exclusivity(unchecked) package private(set) var dataCount = 0
  /// How it ended; set by a backend that had it under way.
  @safe @exclusivity(unchecked) package var status = BlockStatus.ok

  /// Bytes that move between the guest's memory and the disk.
  package var transferCount: Int {
    switch operation {
    case .read, .write: dataCount
    case .flush, .discard, .writeZeroes: 0
    }
  }

  /// The buffers as they were taken off the queue.
  @safe @exclusivity(unchecked) var chain = DescriptorChain()

  init(queue: Int) { self.queue = queue }

  /// Virtio 1.2, 5.2.6: le32 type, le32 reserved, le64 sector; the data; u8 status, which the device writes.
  static let headerSize = 16
  /// le64 sector, le32 num_sectors, le32 flags.
  static let rangeSize = 16

  /// What a driver asks for; `disk` checks it.
  enum Kind: UInt32 {
    case read = 0  // VIRTIO_BLK_T_IN
    case write = 1  // OUT
    case flush = 4  // FLUSH
    case identify = 8  // GET_ID
    case discard = 11  // DISCARD
    case writeZeroes = 13  // WRITE_ZEROES
  }

  /// What the driver wants and from which sector on; nil if its header is cut short.
  var header: (kind: UInt32, sector: UInt64)? {
    // Drivers have the header in one piece, which need not be gathered.
    if let first = chain.readable.first, let kind = try? first.load(UInt32.self, at: 0),
      let sector = try? first.load(UInt64.self, at: 8)
    {
      return (kind, sector)
    }
    return chain.readable.bytes(count: Self.headerSize).map { ($0.field(at: 0), $0.field(at: 8)) }
  }

  func set(_ operation: BlockOperation) { self.operation = operation }

  /// The buffers between header and status.
  func findData() {
    forgetData()
    dataCount = max(chain.readableCount - Self.headerSize, 0)
    // As drivers have it, with the header by itself, there are no pieces to be cut.
    if chain.readable.first?.count == Self.headerSize {
      data.append(contentsOf: chain.readable.dropFirst())
    } else {
      chain.readable.forEachPiece(from: Self.headerSize, count: dataCount) { data.append($0) }
    }
  }

  func findRoom() {
    forgetData()
    dataCount = chain.writableCount - 1
    if chain.writable.last?.count == 1 {
      data.append(contentsOf: chain.writable.dropLast())
    } else {
      chain.writable.forEachPiece(count: dataCount) { data.append($0) }
    }
  }

  private func forgetData() {
    // As in a chain.
    if data.count == 1 { data.removeLast() } else { data.removeAll(keepingCapacity: true) }
  }

  /// Writes the last byte of the driver's buffers.
  func writeStatus(_ status: BlockStatus) {
    chain.writable.forEachPiece(from: chain.writableCount - 1, count: 1) { $0.fill(status.rawValue) }
  }
}
