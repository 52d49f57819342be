import CLinux

/// What this host has of memory.
package enum HostMemory {
  /// Bytes of RAM and swap together (sysinfo(2)); nil where the host does not tell.
  package static var size: UInt64? {
    let size = clinux_memory_size()
    return size > 0 ? size : nil
  }
}
