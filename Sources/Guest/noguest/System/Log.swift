import CGuest

/// Where noguest says what it could not do: the kernel's log as PID 1, standard error otherwise.
///
/// The kernel shows errors on its console even when booted with `quiet`, and warnings when not.
enum Log {
  static func error(_ text: Bytes) { write("<3>", text) }
  static func warning(_ text: Bytes) { write("<4>", text) }

  private static func write(_ level: Bytes, _ text: Bytes) {
    let line = "noguest: " + text + "\n"
    do throws(SystemError) {
      guard getpid() == 1 else { throw .noEntry }
      // One write is one record, whoever else writes (Documentation/ABI/testing/dev-kmsg).
      _ = try Descriptor.open("/dev/kmsg", O_WRONLY).write(level + line)
    } catch {
      _ = unsafe line.withUnsafeBufferPointer { unsafe CGuest.write(2, $0.baseAddress, $0.count) }
    }
  }
}
