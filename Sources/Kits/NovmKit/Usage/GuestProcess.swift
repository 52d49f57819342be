import AgentProtocol
import Host

/// A process of a guest, as the guest's kernel tells of it (proc(5)).
package struct GuestProcess: Encodable, Equatable, Sendable {
  package var id: Int32
  package var parent: Int32
  /// The user's number, since names are the guest's own.
  package var user: UInt32
  /// One letter: R runs, S sleeps, D waits for a device, Z has ended, T is stopped…
  package var state: String
  /// Since it began, in seconds.
  package var age: Double
  /// Processor time so far, in seconds.
  package var processorTime: Double
  /// Memory of its own and shared, in bytes.
  package var resident: UInt64
  package var command: String

  /// The processes of a guest that runs, without the kernel's own threads, by number.
  package static func list(vsock: String) throws(NovmError) -> [GuestProcess] {
    let files = FileCollector()
    try BuiltInCall([Array("processes".utf8)], vsock: vsock).run(output: FileStreamOutput(files))
    return list(files)
  }

  static func list(_ collected: FileCollector) -> [GuestProcess] {
    var processes: [GuestProcess] = []
    let uptime = collected.text("uptime")?.split(separator: " ").first.flatMap(seconds) ?? 0
    var user: UInt32 = 0
    var latest: GuestProcess?
    for (record, data) in collected.files {
      if record.kind == .directory {
        user = record.uid
        latest = nil
      } else if record.path.hasSuffix("/stat") {
        latest = GuestProcess(stat: data, user: user, uptime: uptime)
        if let latest { processes.append(latest) }
      } else if record.path.hasSuffix("/cmdline"), latest != nil, !data.isEmpty {
        let words = data.split(separator: 0).map { String(printable: Array($0)) }
        processes[processes.count - 1].command = words.joined(separator: " ")
      }
    }
    return processes.filter { $0.id != kernelThreads && $0.parent != kernelThreads }.sorted { $0.id < $1.id }
  }

  /// kthreadd, whose children all the kernel's threads are.
  private static let kernelThreads: Int32 = 2
  /// USER_HZ (time(7)), which is the same on every x86-64 kernel.
  private static let ticks = 100.0
  private static let pageSize: UInt64 = 4096

  /// A number that a guest says is one of seconds or ticks, within a million years of either.
  private static func seconds(_ text: Substring) -> Double? {
    Double(text).flatMap { (0...3e15).contains($0) ? $0 : nil }
  }

  /// - Parameter stat: `/proc/PID/stat`; nil for what is not of its form.
  private init?(stat: [UInt8], user: UInt32, uptime: Double) {
    // The name stands in parentheses, and may have some of its own.
    guard let open = stat.firstIndex(of: UInt8(ascii: "(")), let close = stat.lastIndex(of: UInt8(ascii: ")")),
      open < close,
      let id = Int32(String(decoding: stat[..<open], as: UTF8.self).filter { $0 != " " })
    else { return nil }
    let fields = String(decoding: stat[(close + 1)...], as: UTF8.self).split(separator: " ")
    // Fields 3 to 24 of the manual.
    guard fields.count > 21, let parent = Int32(fields[1]), let inUser = Self.seconds(fields[11]),
      let inKernel = Self.seconds(fields[12]), let start = Self.seconds(fields[19]), let pages = Int64(fields[21])
    else { return nil }
    self.id = id
    self.parent = parent
    self.user = user
    state = String(printable: Array(fields[0].utf8))
    age = max(0, uptime - start / Self.ticks)
    processorTime = (inUser + inKernel) / Self.ticks
    resident = UInt64(clamping: pages).multipliedReportingOverflow(by: Self.pageSize).partialValue
    command = "[\(String(printable: Array(stat[(open + 1)..<close])))]"
  }
}

extension [UInt8] {
  fileprivate func hasSuffix(_ text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}
