import CLinux
import Glibc

/// Who may have how many of the process's descriptors. Those that a guest can make the monitor hold are counted, so that a part
/// stays for what the monitor needs for itself: devices, disks, orders, and requests under way.
package struct DescriptorBudget: Equatable, Sendable {
  /// Directories of one tree that are kept open.
  package let directories: Int
  /// Its files, with those that the guest holds open.
  package let files: Int
  /// Its files and directories that no name leads to any more.
  package let removed: Int
  /// Streams by vsock.
  package let streams: Int

  /// - Parameters:
  ///   - limit: descriptors that the process may have (RLIMIT_NOFILE).
  ///   - treeCount: how many trees it serves.
  package init(limit: Int, treeCount: Int = 1) {
    let share = limit / max(1, treeCount)
    directories = min(max(share / 8, 16), 4096)
    files = min(max(share / 4, 16), 16384)
    removed = min(max(share / 4, 16), 65536)
    streams = min(max(limit / 8, 16), 1024)
  }

  /// What is there to be shared out; the limit is raised as far as it goes, once.
  package static func ofThisProcess(treeCount: Int = 1) -> DescriptorBudget {
    DescriptorBudget(limit: limit, treeCount: treeCount)
  }

  /// The soft limit of descriptors, raised to the hard one.
  private static let limit: Int = {
    var limit = rlimit()
    guard unsafe clinux_get_descriptor_limit(&limit) == 0 else { return 1024 }
    if limit.rlim_cur < limit.rlim_max {
      let soft = limit.rlim_cur
      limit.rlim_cur = limit.rlim_max
      if unsafe clinux_set_descriptor_limit(&limit) != 0 { limit.rlim_cur = soft }
    }
    return Int(clamping: limit.rlim_cur)
  }()
}
