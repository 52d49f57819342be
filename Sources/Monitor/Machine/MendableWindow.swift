import FileSystem

/// Files in guest memory. Where the host has shortened one, or its disk fails, KVM_RUN fails; zeros take the place of what is
/// gone, and the guest goes on.
protocol MendableWindow: AnyObject {
  /// A number for `mend`, to be taken before a vCPU runs.
  var mendCount: Int { get }

  /// A vCPU could not reach something.
  ///
  /// - Parameter seen: `mendCount` from before it ran.
  /// - Returns: whether anything was mended since then, so that it is worth trying again.
  func mend(after seen: Int) -> Bool
}

extension FileSystemServer: MendableWindow {
  var mendCount: Int { windowMends }
  func mend(after seen: Int) -> Bool { mendWindow(after: seen) }
}
