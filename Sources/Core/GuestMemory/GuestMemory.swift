/// A guest-physical address, in bytes.
public typealias GuestAddress = UInt64

/// What a guest (or a loader) can get wrong about an address.
public enum GuestMemoryError: Error, Equatable, Sendable {
  /// `count` bytes at `address` are not inside one region of RAM.
  case outside(address: GuestAddress, count: Int)
  /// An atomic access at an address that is not a multiple of its size.
  case misaligned(address: GuestAddress)
}

/// The guest-physical address space: RAM, as a few regions of host memory, and perhaps a window into files.
///
/// Every raw pointer to guest RAM lives in this target. Guest RAM is shared with running vCPUs: each access may see
/// bytes change under it, so callers load a field once and validate the copy.
@safe
public final class GuestMemory: @unchecked Sendable {
  /// One contiguous piece of RAM.
  @safe
  public struct Region: @unchecked Sendable {
    /// The first guest-physical address.
    public let base: GuestAddress
    /// Whether it is no RAM but a window into files: only the host's kernel may touch it for us (`GuestSlice.hostBytes`), since
    /// an access fails where a file ends, which ends the process that makes it.
    public let isWindow: Bool
    @usableFromInline let bytes: UnsafeMutableRawBufferPointer

    /// - Parameters:
    ///   - base: guest-physical address of the first byte.
    ///   - bytes: host memory behind it, which must outlive every `GuestMemory` made from this region.
    @unsafe public init(base: GuestAddress, bytes: UnsafeMutableRawBufferPointer, isWindow: Bool = false) {
      self.base = base
      self.isWindow = isWindow
      unsafe self.bytes = unsafe bytes
    }

    /// Length in bytes.
    @inlinable public var count: Int { unsafe bytes.count }

    /// The host address of the first byte, for KVM memory slots.
    @unsafe public var hostAddress: UnsafeMutableRawPointer? { unsafe bytes.baseAddress }
  }

  /// The regions, in ascending order of address.
  public let regions: [Region]
  /// `regions` again: references to an array would be counted for each descriptor of each chain.
  @usableFromInline let table: UnsafeMutableBufferPointer<Region>

  /// - Parameter regions: not overlapping, none reaching past 2^64.
  public init(regions: [Region]) {
    self.regions = regions.sorted { $0.base < $1.base }
    unsafe table = .allocate(capacity: regions.count)
    _ = unsafe table.initialize(from: self.regions)
  }

  deinit { unsafe table.deallocate() }

  /// Bytes of RAM in all regions together.
  public var size: UInt64 { regions.reduce(0) { $0 + ($1.isWindow ? 0 : UInt64($1.count)) } }

  /// A contiguous piece of RAM. A piece of no bytes is valid anywhere.
  ///
  /// - Throws: `outside` unless all `count` bytes lie in one region.
  @inlinable
  public func slice(at address: GuestAddress, count: Int) throws(GuestMemoryError) -> GuestSlice {
    if count == 0 { return GuestSlice.empty }
    guard count > 0 else { throw .outside(address: address, count: count) }
    // A loop over a range would be a call for each step where this is not inlined.
    var index = 0
    let regionCount = unsafe table.count
    while index < regionCount {
      let region = unsafe table[index]
      let offset = address &- region.base
      let size = UInt64(region.count)
      // Below the region, the offset wraps to beyond its end: none reaches past 2^64.
      if offset < size, UInt64(count) <= size &- offset {
        // The range was just checked against the region.
        return unsafe GuestSlice(
          start: region.bytes.baseAddress! + Int(offset), count: count, isWindow: region.isWindow)
      }
      index &+= 1
    }
    throw .outside(address: address, count: count)
  }

  /// A little-endian integer at any alignment.
  @inlinable
  public func load<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type = T.self, at address: GuestAddress
  ) throws(GuestMemoryError) -> T {
    try slice(at: address, count: MemoryLayout<T>.size).load(type, at: 0)
  }

  /// Stores a little-endian integer at any alignment.
  @inlinable
  public func store<T: FixedWidthInteger & BitwiseCopyable>(
    _ value: T, at address: GuestAddress
  ) throws(GuestMemoryError) {
    try slice(at: address, count: MemoryLayout<T>.size).store(value, at: 0)
  }

  /// Copies `bytes` into RAM.
  @inlinable
  public func write(_ bytes: [UInt8], at address: GuestAddress) throws(GuestMemoryError) {
    _ = try slice(at: address, count: bytes.count).copy(from: bytes)
  }

  /// Copies `count` bytes out of RAM.
  @inlinable
  public func read(count: Int, at address: GuestAddress) throws(GuestMemoryError) -> [UInt8] {
    try slice(at: address, count: count).bytes()
  }
}
