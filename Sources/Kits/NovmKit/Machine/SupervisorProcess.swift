import CLinux
import Glibc
import Host
import Store

/// The process that looks after a machine, from outside: held by a descriptor, so that a number which was given away anew
/// harms nobody.
package struct SupervisorProcess: ~Copyable {
  private let descriptor: FileDescriptor

  /// nil if nobody looks after the machine.
  package static func of(_ record: MachineRecord) -> SupervisorProcess? {
    guard let number = MachineState(record)?.supervisor else { return nil }
    let opened = clinux_open_process(number)
    guard opened >= 0 else { return nil }
    let descriptor = FileDescriptor(owning: opened)
    // Whoever has the machine's lock open now and has this number is the process that was opened, or that has ended.
    return holds("\(record.path)/lock", process: number) ? SupervisorProcess(descriptor) : nil
  }

  private init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

  /// Readable once the process has ended.
  package consuming func takeDescriptor() -> FileDescriptor { descriptor }

  package func send(_ signal: Int32) {
    _ = clinux_signal_process(descriptor.raw, signal)
  }

  /// Waits until it has ended.
  ///
  /// - Parameter seconds: no longer than so.
  /// - Returns: whether it has.
  package func awaitEnd(seconds: Double = .infinity) -> Bool {
    let deadline = seconds < 1e6 ? MonotonicTime.after(milliseconds: UInt64(seconds * 1000)) : nil
    while true {
      var interest = pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
      if unsafe poll(&interest, 1, deadline.map { $0.millisecondsFromNow } ?? -1) > 0 { return true }
      if let deadline, deadline <= .now { return false }
    }
  }

  private static func holds(_ lock: String, process: Int32) -> Bool {
    var wanted = stat()
    guard unsafe stat(lock, &wanted) == 0, let names = try? Directories.names("/proc/\(process)/fd") else {
      return false
    }
    return names.contains { name in
      var status = stat()
      return unsafe stat("/proc/\(process)/fd/\(name)", &status) == 0 && status.st_dev == wanted.st_dev
        && status.st_ino == wanted.st_ino
    }
  }
}
