import Glibc
import Host

/// When this process was started: before it was loaded and linked, which the process itself cannot time.
package enum ProcessStart {
  /// To the tick of `starttime` in proc(5), 10 ms; the time of now where that cannot be read.
  package static var time: MonotonicTime {
    let now = MonotonicTime.now
    // The second field is the program's name in parentheses, which may itself hold spaces and parentheses.
    guard let text = try? SystemFile.read("/proc/self/stat"), let name = text.lastIndex(of: ")") else { return now }
    let fields = text[text.index(after: name)...].split(separator: " ")
    let ticksPerSecond = UInt64(clamping: sysconf(Int32(_SC_CLK_TCK)))
    guard fields.count > 19, let ticks = UInt64(fields[19]), ticksPerSecond > 0 else { return now }
    // It is on CLOCK_BOOTTIME, which is ahead by the time that the host was suspended.
    var boot = timespec()
    unsafe clock_gettime(CLOCK_BOOTTIME, &boot)
    let bootNow = UInt64(boot.tv_sec) * 1_000_000_000 + UInt64(boot.tv_nsec)
    let start = ticks * (1_000_000_000 / ticksPerSecond)
    guard start <= bootNow, bootNow - start <= now.nanoseconds else { return now }
    return MonotonicTime(nanoseconds: now.nanoseconds - (bootNow - start))
  }
}
