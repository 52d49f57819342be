import Glibc
import Host
import Store

/// What a machine takes of the host, and what its guest says of itself.
package struct MachineUsage: Encodable, Equatable, Sendable {
  package var id: String
  package var name: String
  package var status: String
  /// Processor time that the monitor took, all vCPUs and devices, for each second; 1 is one processor. nil at first.
  package var processors: Double?
  /// What the monitor has in the host's memory, shared pages of files included, in bytes.
  package var hostMemory: UInt64
  /// Of the guest's memory: what is in use and cannot be had at once, and all of it.
  package var memoryUsed: UInt64?
  package var memoryTotal: UInt64?
  /// Of the file system that the guest's / is on.
  package var storageUsed: UInt64?
  package var storageTotal: UInt64?
  package var threads: Int?
  /// What it makes the monitor hold.
  package var monitor: MonitorUsage?

  /// What is measured at one moment, to be compared with the next.
  package struct Sample: Sendable {
    package var usage: MachineUsage
    /// Processor time so far, in seconds.
    var processorTime: Double
    var time: MonotonicTime
  }

  /// - Parameters:
  ///   - last: what was measured of the same machine before.
  ///   - takesSignals: as of ``BuiltInCall``.
  /// - Returns: nil if its monitor does not run.
  package static func measure(
    _ record: MachineRecord, status: MachineStatus, since last: Sample?, takesSignals: Bool = true
  ) -> Sample? {
    guard let monitor = MachineState(record)?.monitor, let stat = read("/proc/\(monitor)/stat"),
      let time = processorTime(stat)
    else { return nil }
    let now = MonotonicTime.now
    var usage = MachineUsage(
      id: record.identifier, name: record.name, status: status.name,
      hostMemory: resident(read("/proc/\(monitor)/status") ?? ""))
    if let last, now > last.time {
      let seconds = Double(now.nanoseconds - last.time.nanoseconds) / 1e9
      usage.processors = max(0, time - last.processorTime) / seconds
    }
    // A monitor that does not answer is left alone, as a guest is.
    if var control = MonitorControl(record) {
      control.patience = 2000
      usage.monitor = try? control.usage()
    }
    if status == .running, let runtime = record.runtime {
      let files = FileCollector()
      // A guest that does not answer is left alone for this time.
      try? BuiltInCall([Array("usage".utf8)], vsock: "\(runtime)/vsock", takesSignals: takesSignals)
        .run(output: FileStreamOutput(files), within: 2000)
      usage.take(files)
    }
    return Sample(usage: usage, processorTime: time, time: now)
  }

  mutating func take(_ files: FileCollector) {
    var memory: [Substring: UInt64] = [:]
    for line in (files.text("meminfo") ?? "").split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count >= 2, let amount = UInt64(words[1]), amount < 1 << 50 {
        memory[words[0].dropLast()] = amount << 10
      }
    }
    if let total = memory["MemTotal"], let available = memory["MemAvailable"] {
      memoryTotal = total
      memoryUsed = total - min(total, available)
    }
    let storage = (files.text("root") ?? "").split(whereSeparator: \.isWhitespace).compactMap { UInt64($0) }
    if storage.count == 2 {
      storageTotal = storage[0]
      storageUsed = storage[0] - min(storage[0], storage[1])
    }
    // `0.00 0.01 0.05 1/74 2041`: how many run, of how many there are.
    let load = (files.text("loadavg") ?? "").split(separator: " ")
    if load.count > 3 { threads = load[3].split(separator: "/").last.flatMap { Int($0) } }
  }

  private static func read(_ path: String) -> String? {
    guard let file = try? FileDescriptor.open(path, O_RDONLY) else { return nil }
    var buffer = [UInt8](repeating: 0, count: 8192)
    guard let count = try? file.read(into: &buffer) else { return nil }
    return String(decoding: buffer[..<count], as: UTF8.self)
  }

  /// proc_pid_stat(5): fields 14 and 15.
  private static func processorTime(_ stat: String) -> Double? {
    guard let close = stat.lastIndex(of: ")") else { return nil }
    let fields = stat[stat.index(after: close)...].split(separator: " ")
    guard fields.count > 12, let user = Double(fields[11]), let kernel = Double(fields[12]) else { return nil }
    return (user + kernel) / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  /// proc_pid_status(5).
  private static func resident(_ status: String) -> UInt64 {
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { UInt64($0) } ?? 0) << 10
  }
}
