internal import GuestMemory
internal import LittleEndian
internal import Virtio

/// The 44 bytes before each packet's payload (Virtio 1.2, 5.10.6).
struct VsockHeader: Equatable {
  static let size = 44
  /// VIRTIO_VSOCK_TYPE_STREAM
  static let stream: UInt16 = 1

  /// VIRTIO_VSOCK_OP_…
  enum Operation {
    static let request: UInt16 = 1
    static let response: UInt16 = 2
    static let reset: UInt16 = 3
    static let shutdown: UInt16 = 4
    static let data: UInt16 = 5
    static let creditUpdate: UInt16 = 6
    static let creditRequest: UInt16 = 7
  }

  /// Flags of a shutdown: what its sender will not do any more.
  enum Shutdown {
    static let receive: UInt32 = 1
    static let send: UInt32 = 2
    static let both: UInt32 = 3
  }

  var sourceCID: UInt64 = 0
  var destinationCID: UInt64 = 0
  var sourcePort: UInt32 = 0
  var destinationPort: UInt32 = 0
  var length: UInt32 = 0
  var type: UInt16 = VsockHeader.stream
  var operation: UInt16 = 0
  var flags: UInt32 = 0
  var bufferAllocation: UInt32 = 0
  var forwardCount: UInt32 = 0

  init() {}

  /// Copies the header out of the front of `slices`; nil if they are shorter.
  init?(_ slices: [GuestSlice]) {
    // Drivers give the header a buffer of its own or put it before the payload; any other cut is gathered first.
    if let first = slices.first, first.count >= Self.size {
      do throws(GuestMemoryError) { try load(first) } catch { return nil }
      return
    }
    guard let bytes = slices.bytes(count: Self.size) else { return nil }
    func field<T: FixedWidthInteger>(_ offset: Int, as type: T.Type = T.self) -> T {
      var value: T = 0
      for index in 0..<(T.bitWidth / 8) { value |= T(bytes[offset + index]) << (8 * index) }
      return value
    }
    sourceCID = field(0)
    destinationCID = field(8)
    sourcePort = field(16)
    destinationPort = field(20)
    length = field(24)
    type = field(28)
    operation = field(30)
    flags = field(32)
    bufferAllocation = field(36)
    forwardCount = field(40)
  }

  private mutating func load(_ slice: GuestSlice) throws(GuestMemoryError) {
    sourceCID = try slice.load(at: 0)
    destinationCID = try slice.load(at: 8)
    sourcePort = try slice.load(at: 16)
    destinationPort = try slice.load(at: 20)
    length = try slice.load(at: 24)
    type = try slice.load(at: 28)
    operation = try slice.load(at: 30)
    flags = try slice.load(at: 32)
    bufferAllocation = try slice.load(at: 36)
    forwardCount = try slice.load(at: 40)
  }

  /// Writes the header to the front of `slices`, which have room for it.
  func store(into slices: [GuestSlice]) {
    if let first = slices.first, first.count >= Self.size {
      try? store(into: first)
    } else {
      slices.copy(from: bytes)
    }
  }

  private func store(into slice: GuestSlice) throws(GuestMemoryError) {
    try slice.store(sourceCID, at: 0)
    try slice.store(destinationCID, at: 8)
    try slice.store(sourcePort, at: 16)
    try slice.store(destinationPort, at: 20)
    try slice.store(length, at: 24)
    try slice.store(type, at: 28)
    try slice.store(operation, at: 30)
    try slice.store(flags, at: 32)
    try slice.store(bufferAllocation, at: 36)
    try slice.store(forwardCount, at: 40)
  }

  var bytes: [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(Self.size)
    result.append(field: sourceCID)
    result.append(field: destinationCID)
    result.append(field: sourcePort)
    result.append(field: destinationPort)
    result.append(field: length)
    result.append(field: type)
    result.append(field: operation)
    result.append(field: flags)
    result.append(field: bufferAllocation)
    result.append(field: forwardCount)
    return result
  }
}
