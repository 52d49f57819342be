import NovmKit

/// What a machine takes of the host, and what its guest says of itself.
public struct Usage: Equatable, Sendable {
  /// What its monitor has in the host's memory, shared pages of files included, in bytes.
  public let hostMemory: UInt64
  /// Of the guest's memory, what is in use and cannot be had at once; in bytes. nil where the guest did not say.
  public let memoryUsed: UInt64?
  public let memoryTotal: UInt64?
  /// Of the file system that the guest's `/` is on, in bytes.
  public let storageUsed: UInt64?
  public let storageTotal: UInt64?
  public let threads: Int?
  /// Of the write map that is nearest to its limit, in bytes; nil where none has one (`--write-limit`).
  public let written: UInt64?
  public let writeLimit: UInt64?
  /// Files and directories that the guest knows, which its monitor holds. nil where the monitor did not say.
  public let nodes: UInt64?
  /// Connections by vsock: commands, published ports, those that others have opened.
  public let streams: UInt64?

  init(_ usage: MachineUsage) {
    hostMemory = usage.hostMemory
    memoryUsed = usage.memoryUsed
    memoryTotal = usage.memoryTotal
    storageUsed = usage.storageUsed
    storageTotal = usage.storageTotal
    threads = usage.threads
    written = usage.monitor?.fullest?.bytes
    writeLimit = usage.monitor?.fullest?.limit
    nodes = usage.monitor?.nodes
    streams = usage.monitor?.streams
  }
}
