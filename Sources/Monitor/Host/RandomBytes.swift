import CLinux
import Glibc

/// The host kernel's random number generator: getrandom(2).
package enum RandomBytes {
  /// `count` bytes, or fewer should the kernel have none to give.
  package static func make(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let got = unsafe bytes.withUnsafeMutableBytes { unsafe getrandom($0.baseAddress! + filled, $0.count - filled, 0) }
      if got > 0 {
        filled += got
      } else if got < 0, Errno.current == Errno(EINTR) {
        continue
      } else {
        break
      }
    }
    bytes.removeLast(count - filled)
    return bytes
  }
}
