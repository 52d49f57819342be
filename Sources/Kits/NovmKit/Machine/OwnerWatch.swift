import Glibc
import Host

/// Waits for the end of the program whose machine this is, by its descriptor (pidfd_open(2)): however it ends, and whatever
/// copies its own descriptors have in processes that it forked.
final class OwnerWatch: PollSource {
  private let descriptor: FileDescriptor
  private let onEnd: () throws(NovmError) -> Void
  private var hasEnded = false

  init(_ descriptor: consuming FileDescriptor, _ onEnd: @escaping () throws(NovmError) -> Void) {
    // It is not for novmm.
    _ = fcntl(descriptor.raw, F_SETFD, FD_CLOEXEC)
    self.descriptor = descriptor
    self.onEnd = onEnd
  }

  var interest: PollInterest? { hasEnded ? nil : PollInterest(descriptor.raw, POLLIN) }

  func ready(_ events: Int32) throws(NovmError) {
    hasEnded = true
    try onEnd()
  }
}
