import CLinux
import Host

/// Moments of a machine's life, written as lines `NAME NANOSECONDS` (CLOCK_MONOTONIC) to a descriptor as they come.
package final class Timeline: Sendable {
  private let descriptor: Int32?

  /// - Parameter descriptor: an open descriptor, or nil to note nothing.
  package init(_ descriptor: Int32?) { self.descriptor = descriptor }

  package func mark(_ name: StaticString) {
    guard let descriptor else { return }
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    let line = Array("\(name) \(now.tv_sec * 1_000_000_000 + now.tv_nsec)\n".utf8)
    _ = unsafe line.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
  }
}
