/// Where page tables get frames from.
package protocol PageFrames {
  /// The physical address of a frame of zeros, or nil.
  mutating func allocate() -> UInt64?
  /// Takes back a table that no entry points to any more; processors may still know of it until they flush.
  mutating func free(_ frame: UInt64)
  /// Where the kernel has the physical memory at 0.
  var window: UInt64 { get }
}
