import AgentProtocol
import CGuest

/// What the guest's kernel says of its processes and of what they use, as files (proc(5)): the host makes sense of them.
enum Reports {
  /// `processes`: `stat` and `uptime` of the machine; then for each process a directory by its number, which its user
  /// owns, with its `stat` and `cmdline`.
  static func processes() throws(BuiltIn.Trouble) {
    try send(["stat", "uptime"])
    let names: [Bytes]
    do throws(SystemError) { names = try Files.names("/proc") } catch { throw BuiltIn.Trouble("/proc", error) }
    let own = Bytes(decimal: Int(getpid()))
    for name in names where name.decimal != nil && name != own {
      var status = stat()
      // One that has ended since is none.
      guard unsafe ("/proc/" + name).withCString({ unsafe stat($0, &status) }) == 0 else { continue }
      var record = FileRecord(.directory, path: name, mode: 0o555)
      record.uid = status.st_uid
      record.gid = status.st_gid
      try send(record, [])
      try send([name + "/stat", name + "/cmdline"])
    }
    try send(FileRecord(.end), [])
  }

  /// `usage`: `stat`, `meminfo`, `uptime` and `loadavg`; and `root`, how many bytes the file system of `/` has, and how many
  /// are free.
  static func usage() throws(BuiltIn.Trouble) {
    try send(["stat", "meminfo", "uptime", "loadavg"])
    var status = statvfs()
    if unsafe ("/" as Bytes).withCString({ unsafe statvfs($0, &status) }) == 0 {
      let unit = Int(clamping: status.f_frsize)
      let total = Int(clamping: status.f_blocks).multipliedReportingOverflow(by: unit)
      let free = Int(clamping: status.f_bavail).multipliedReportingOverflow(by: unit)
      if !total.overflow, !free.overflow {
        let text = Bytes(decimal: total.partialValue) + " " + Bytes(decimal: free.partialValue) + "\n"
        try send(FileRecord(.file, path: "root", mode: 0o444), text)
      }
    }
    try send(FileRecord(.end), [])
  }

  /// `kernel-log`: what the kernel keeps of its log, each line behind its level (syslog(2)).
  static func kernelLog() throws(BuiltIn.Trouble) {
    let (readAll, bufferSize) = (CInt(3), CInt(10))
    let size = max(0, klogctl(bufferSize, nil, 0))
    var text = Bytes(repeating: 0, count: Int(size))
    let count = unsafe text.withUnsafeMutableBufferPointer { buffer in
      // musl's takes characters.
      unsafe klogctl(readAll, UnsafeMutableRawPointer(buffer.baseAddress)?.assumingMemoryBound(to: CChar.self), size)
    }
    guard count >= 0 else { throw BuiltIn.Trouble("the kernel's log", .last) }
    text.removeSubrange(Int(count)...)
    try StandardStreams.write(text)
  }

  /// Files below `/proc`; those that cannot be read are left out.
  private static func send(_ names: [Bytes]) throws(BuiltIn.Trouble) {
    for name in names {
      guard let content = try? Files.contents("/proc/" + name, limit: 64 << 10) else { continue }
      try send(FileRecord(.file, path: name, mode: 0o444), content)
    }
  }

  private static func send(_ record: FileRecord, _ content: Bytes) throws(BuiltIn.Trouble) {
    var record = record
    record.size = UInt64(content.count)
    var bytes: Bytes = []
    // Paths as short as these are always encoded.
    try? record.encode(into: &bytes)
    try StandardStreams.write(bytes + content)
  }
}
