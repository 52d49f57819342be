import CLinux
import Glibc
package import Host

/// What happens where a thread tries a call that its ``CallFilter`` does not allow: a line on standard error names the call and
/// the thread, and the process ends.
package enum CallViolation {
  /// The status with which the process ends.
  package static let status: Int32 = 7

  private static let nameSize = 24
  private static let nameCount = 512
  /// Names of calls by number, `nameSize` bytes each, shorter ones with NULs: a signal's handler must not allocate.
  nonisolated(unsafe) private static var names: UnsafeMutablePointer<UInt8>?

  /// Takes SIGSYS. To be called before any filter is applied; filters should not let it be changed.
  package static func arm() throws(Errno) {
    if unsafe names == nil {
      let table = UnsafeMutablePointer<UInt8>.allocate(capacity: nameSize * nameCount)
      unsafe table.initialize(repeating: 0, count: nameSize * nameCount)
      for (number, name) in SystemCallNames.all {
        for (index, byte) in name.utf8.enumerated() where index < nameSize {
          unsafe table[Int(number) * nameSize + index] = byte
        }
      }
      unsafe names = table
    }
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_sigaction = { _, info, _ in
      CallViolation.end(call: unsafe Int(clinux_trapped_call(info!)))
    }
    action.sa_flags = SA_SIGINFO
    try checked(unsafe sigaction(SIGSYS, &action, nil))
  }

  /// In the handler: nothing but stores to the stack and system calls that every filter is to allow (prctl with PR_GET_NAME, gettid,
  /// write, exit_group).
  private static func end(call: Int) -> Never {
    var line = Line()
    line.put("novmm: stopped: its thread ")
    var thread = InlineArray<16, CChar>(repeating: 0)
    var span = thread.mutableSpan
    _ = unsafe span.withUnsafeMutableBufferPointer { unsafe clinux_thread_name($0.baseAddress!) }
    for index in thread.indices where thread[index] > 0 { line.put(UInt8(bitPattern: thread[index])) }
    line.put(" tried ")
    if let names = unsafe names, call >= 0, call < nameCount, unsafe names[call * nameSize] != 0 {
      for index in 0..<nameSize where unsafe names[call * nameSize + index] != 0 {
        line.put(unsafe names[call * nameSize + index])
      }
    } else {
      line.put("the system call of number ")
      line.put(UInt(bitPattern: call))
    }
    line.put(", which the machine has no need of\n")
    line.write()
    _exit(status)
  }

  private struct Line {
    private var bytes = InlineArray<192, UInt8>(repeating: 0)
    private var count = 0

    mutating func put(_ byte: UInt8) {
      guard count < bytes.count else { return }
      bytes[count] = byte
      count += 1
    }

    mutating func put(_ text: StaticString) {
      // Safe: a constant's own bytes.
      for index in 0..<text.utf8CodeUnitCount { unsafe put(text.utf8Start[index]) }
    }

    mutating func put(_ number: UInt) {
      var divisor: UInt = 1
      while number / divisor >= 10 { divisor *= 10 }
      while divisor > 0 {
        put(UInt8(ascii: "0") + UInt8(number / divisor % 10))
        divisor /= 10
      }
    }

    func write() {
      let span = bytes.span
      _ = unsafe span.withUnsafeBufferPointer { unsafe clinux_write(2, $0.baseAddress, count) }
    }
  }
}
