import Devices
import Egress
import GuestMemory
import Host

/// A link to which a guest sends by its own addresses alone. On the event loop's thread, as what it limits.
final class SourceFilteredBackend: NetworkBackend {
  private let link: any NetworkBackend
  private let filter: SourceFilter
  private let mapping: MemoryMapping
  private let memory: GuestMemory
  /// Room for the beginning of a frame, of our own: the guest may change its memory after we looked at it.
  private let head: GuestSlice
  private var pieces: [GuestSlice] = []

  private static let headSize = NetworkHeader.size + SourceFilter.headSize

  init(_ link: any NetworkBackend, _ filter: SourceFilter) throws(Errno) {
    self.link = link
    self.filter = filter
    mapping = try MemoryMapping(anonymous: 4096, pages: .small)
    // The mapping lives as long as this.
    memory = GuestMemory(regions: [unsafe GuestMemory.Region(base: 0, bytes: mapping.bytes)])
    guard let head = try? memory.slice(at: 0, count: Self.headSize) else { throw Errno(12) }  // ENOMEM
    self.head = head
  }

  var offloads: NetworkOffloads { link.offloads }

  func setReceiveOffloads(_ offloads: NetworkOffloads) { link.setReceiveOffloads(offloads) }
  func setActivePairs(_ count: Int) { link.setActivePairs(count) }

  func receive(pair: Int, into slices: [GuestSlice]) -> NetworkTransfer { link.receive(pair: pair, into: slices) }

  func copyReceived(pair: Int, from offset: Int, into slices: [GuestSlice]) {
    link.copyReceived(pair: pair, from: offset, into: slices)
  }

  func send(pair: Int, _ slices: [GuestSlice]) -> NetworkTransfer {
    let count = slices.byteCount
    let looked = min(count, Self.headSize)
    guard let bytes = slices.bytes(count: looked) else { return .dropped }
    guard filter.accepts(bytes.span.extracting(NetworkHeader.size..<looked)) else { return .dropped }
    pieces.removeAll(keepingCapacity: true)
    head.copy(from: bytes)
    pieces.append(head.dropping(0, count: looked))
    slices.forEachPiece(from: looked, count: count - looked) { pieces.append($0) }
    return link.send(pair: pair, pieces)
  }
}
