import AgentProtocol
import Testing

@testable import NovmKit

/// What a guest says of its processes and its memory.
struct UsageTests {
  private func collected(_ files: [(String, String)]) throws -> FileCollector {
    let collector = FileCollector()
    for (path, text) in files {
      if path.hasSuffix("/") {
        var record = FileRecord(.directory, path: Array(path.dropLast().utf8))
        record.uid = 33
        try collector.begin(record)
      } else {
        try collector.begin(FileRecord(.file, path: Array(path.utf8)))
        try collector.write(Array(text.utf8)[...])
      }
    }
    return collector
  }

  private let line = "(a) b) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 1000 10000000 256 18446744073709551615"

  @Test func processes() throws {
    let files = try collected([
      ("uptime", "110.00 100.00\n"), ("2/", ""), ("2/stat", "2 " + line), ("9/", ""),
      ("9/stat", "9 (kworker) I 2" + line.dropFirst(10)),
      ("7/", ""), ("7/stat", "7 " + line), ("7/cmdline", "/bin/sh\0-c\0a\u{1b}[2Jb\0"), ("8/", ""),
      ("8/stat", "8 " + line),
    ])
    let list = GuestProcess.list(files)
    #expect(list.map(\.id) == [7, 8])
    #expect(list[0].user == 33 && list[0].parent == 1 && list[0].state == "S")
    #expect(list[0].processorTime == 2 && list[0].age == 100 && list[0].resident == 1 << 20)
    // A guest's bytes do not reach the terminal.
    #expect(list[0].command.hasPrefix("/bin/sh -c a") && !list[0].command.contains("\u{1b}"))
    #expect(list[1].command == "[a) b]")
  }

  /// Numbers that no kernel says, and that a time cannot be made of.
  @Test(arguments: ["inf", "nan", "-1", "1e300", "0x1p1000", "18446744073709551616"])
  func timesThatAreNone(_ number: String) throws {
    let files = try collected([
      ("uptime", "\(number) 1\n"), ("7/", ""), ("7/stat", "7 " + line), ("8/", ""),
      ("8/stat", "8 " + line.replacing(" 150 ", with: " \(number) ")),
    ])
    #expect(GuestProcess.list(files).map(\.id) == [7])
    #expect(GuestProcess.list(files)[0].age == 0)
  }

  @Test func nonsenseIsNoProcess() throws {
    for text in ["", "7", "7 (a", "7 ) S (", "7 (a) S 1", "x " + line, "99999999999 " + line] {
      #expect(GuestProcess.list(try collected([("7/", ""), ("7/stat", text), ("7/cmdline", "x")])).isEmpty, "\(text)")
    }
  }

  @Test func whatMonitorsHold() throws {
    let usage = try #require(
      MonitorUsage("usage nodes=12 written=100/1000/7/8 written=500/1000/7 streams=3 nodes=5 other=2/1"))
    #expect(usage.nodes == 17 && usage.streams == 3 && usage.written.count == 2)
    // By its names.
    #expect(usage.fullest == MonitorUsage.Written(bytes: 100, limit: 1000, names: 7, nameLimit: 8))
    #expect(usage.written.map(\.isFullerOfNames) == [true, false])
    #expect(MonitorUsage("usage")?.fullest == nil)
    for text in ["", "refused", "usage nodes", "usage nodes=-1", "usage nodes=x", "usage written=1//2"] {
      #expect(MonitorUsage(text) == nil, "\(text)")
    }
  }

  @Test func usage() throws {
    var usage = MachineUsage(id: "a", name: "a", status: "running", hostMemory: 0)
    usage.take(
      try collected([
        ("meminfo", "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  400 kB\n"), ("root", "1000 250\n"),
        ("loadavg", "0.00 0.01 0.05 1/74 2041\n"),
      ]))
    #expect(usage.memoryTotal == 1_024_000 && usage.memoryUsed == 614_400)
    #expect(usage.storageTotal == 1000 && usage.storageUsed == 750)
    #expect(usage.threads == 74)
    var hostile = MachineUsage(id: "a", name: "a", status: "running", hostMemory: 0)
    hostile.take(
      try collected([
        ("meminfo", "MemTotal: 18446744073709551615 kB\nMemAvailable: 9 kB"), ("root", "1 2 3"), ("loadavg", "x"),
      ]))
    #expect(hostile.memoryTotal == nil && hostile.storageTotal == nil && hostile.threads == nil)
  }
}
