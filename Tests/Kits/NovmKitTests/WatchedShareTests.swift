import FileSystem
import Foundation
import Host
import HostTesting
import Logging
import Synchronization
import Testing

@testable import NovmKit

struct WatchedShareTests {
  /// Keeps what it is told, as `PATH` or `PATH attributes`.
  private final class Taker: ChangeTaker {
    private(set) var told: Set<String> = []

    func add(_ path: [UInt8], _ kind: GuestStamps.Kind, in directory: [UInt8], of share: [UInt8]) {
      #expect(share == Array("/s".utf8))
      told.insert(String(decoding: path, as: UTF8.self) + (kind == .attributes ? " attributes" : ""))
    }

    func take() -> Set<String> {
      defer { told = [] }
      return told
    }
  }

  /// Keeps what is logged.
  private final class Log: LogHandler, Sendable {
    private let texts = Mutex<[String]>([])
    var lines: [String] { texts.withLock { $0 } }
    var metadata: Logger.Metadata {
      get { [:] }
      set {}
    }
    var logLevel: Logger.Level {
      get { .trace }
      set {}
    }
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { nil }
      set {}
    }

    func log(event: LogEvent) { texts.withLock { $0.append("\(event.message)") } }
  }

  private let directory: TemporaryDirectory
  private let taker = Taker()
  private let log = Log()

  init() throws { directory = try TemporaryDirectory() }

  private func make(_ path: String) throws { try #require(mkdir("\(directory.path)/\(path)", 0o755) == 0) }

  private func write(_ path: String, _ text: String = "x") throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(directory.path)/\(path)"))
  }

  private func share(limit: Int, byteLimit: Int = 1 << 20, names: Int = 1 << 18) throws -> WatchedShare {
    let map = TreeMap(guest: Array("/s".utf8), host: Array(directory.path.utf8))
    let share = try WatchedShare(
      map, stamps: taker, limit: limit, byteLimit: byteLimit, names: names,
      logger: Logger(label: "test", factory: { [log] _ in log }))
    try run(share)
    return share
  }

  /// Serves it until there is nothing to do.
  private func run(_ share: WatchedShare) throws {
    while true {
      while share.deadline != nil { try share.expired() }
      var poll = pollfd(fd: try #require(share.interest).descriptor, events: Int16(POLLIN), revents: 0)
      guard Foundation.poll(&poll, 1, 0) == 1 else { return }
      try share.ready(POLLIN)
    }
  }

  @Test func tellsWhatChanges() throws {
    try make("d")
    try write("d/f")
    let share = try share(limit: 4)
    #expect(taker.take() == [])
    try write("d/f", "longer")
    try #require(chmod(directory.path + "/d/f", 0o600) == 0)
    try run(share)
    #expect(taker.take().isSuperset(of: ["/s/d/f", "/s/d/f attributes"]))
    // A directory comes with what is in it, and is watched from then on, wherever it goes.
    try make("new")
    try write("new/g")
    try run(share)
    #expect(taker.take().isSuperset(of: ["/s", "/s/new", "/s/new/g"]))
    try #require(rename(directory.path + "/new", directory.path + "/d/moved") == 0)
    try run(share)
    _ = taker.take()
    try write("d/moved/g", "longer")
    try run(share)
    #expect(taker.take().contains("/s/d/moved/g"))
    #expect(log.lines == [])
  }

  /// Of many names in directories that come all at once some are looked at in a turn, and of too many in one not all.
  @Test func aTurnHasAnEnd() throws {
    let share = try share(limit: 20, names: 10)
    let elsewhere = try TemporaryDirectory()
    for (name, count) in [("a", 8), ("b", 8), ("c", 8), ("d", 11)] {
      try #require(mkdir("\(elsewhere.path)/\(name)", 0o755) == 0)
      for number in 0..<count { try Data().write(to: URL(fileURLWithPath: "\(elsewhere.path)/\(name)/\(number)")) }
      // To and fro: it waits once.
      for _ in 0..<3 {
        try #require(rename("\(elsewhere.path)/\(name)", "\(directory.path)/\(name)") == 0)
        try #require(rename("\(directory.path)/\(name)", "\(elsewhere.path)/\(name)") == 0)
      }
      try #require(rename("\(elsewhere.path)/\(name)", "\(directory.path)/\(name)") == 0)
    }
    try share.ready(POLLIN)
    var turns = 0
    while share.deadline != nil {
      try share.expired()
      turns += 1
    }
    #expect(turns == 3)
    #expect(taker.take().isSuperset(of: ["/s/a/0", "/s/a/7", "/s/b/7", "/s/c/7"]))
    #expect(log.lines.count == 1)
  }

  @Test func whatGoesLeavesRoom() throws {
    for name in ["a", "b", "c"] { try make(name) }
    let share = try share(limit: 4)
    for round in 0..<5 {
      try #require(rmdir(directory.path + "/a") == 0)
      try run(share)
      try make("a")
      try run(share)
      _ = taker.take()
      try write("a/\(round)")
      try run(share)
      #expect(taker.take().contains("/s/a/\(round)"))
      unlink("\(directory.path)/a/\(round)")
    }
    // One that goes elsewhere is watched no more.
    let elsewhere = try TemporaryDirectory()
    try #require(rename(directory.path + "/b", elsewhere.path + "/b") == 0)
    try run(share)
    try make("b")
    try run(share)
    _ = taker.take()
    try Data().write(to: URL(fileURLWithPath: elsewhere.path + "/b/f"))
    try run(share)
    #expect(taker.take() == [])
    #expect(log.lines == [])
  }

  @Test func howManyAreMissedIsSaidOnceAndOfTwiceAsMany() throws {
    for number in 0..<50 { try make("d\(number)") }
    let share = try share(limit: 4)
    #expect(log.lines.count == 1)
    #expect(log.lines.first?.contains("directories or more of the share /s") == true)
    #expect(log.lines.first?.contains("no more than 4 are watched") == true)
    // Three are watched beside the root.
    _ = taker.take()
    for number in 0..<50 { try write("d\(number)/f") }
    try run(share)
    #expect(taker.take().count { $0.hasSuffix("/f") } == 3)
    for number in 0..<200 {
      try make("e\(number)")
      try run(share)
    }
    #expect((2...9).contains(log.lines.count), "\(log.lines)")
  }

  /// As a guest can make long ones, paths have no more bytes than there is room for; what goes leaves some.
  @Test func pathsAreBounded() throws {
    let name = String(repeating: "n", count: 200)
    for number in 0..<50 { try make("\(number)\(name)") }
    let share = try share(limit: 100, byteLimit: 1000)
    #expect(log.lines.count == 1)
    func watched() throws -> Int {
      _ = taker.take()
      for number in 0..<50 { try write("\(number)\(name)/f", "\(number)") }
      try run(share)
      return taker.take().count { $0.hasSuffix("/f") }
    }
    #expect(try watched() == 4)
    for number in 0..<50 {
      try #require(unlink("\(directory.path)/\(number)\(name)/f") == 0)
      try #require(rmdir("\(directory.path)/\(number)\(name)") == 0)
    }
    try run(share)
    for number in 0..<50 { try make("\(number)\(name)") }
    try run(share)
    #expect(try watched() == 4)
  }

  @Test(.enabled(if: geteuid() != 0)) func whyOneCannotBeWatchedIsSaid() throws {
    try make("closed")
    try #require(chmod(directory.path + "/closed", 0) == 0)
    defer { chmod(directory.path + "/closed", 0o700) }
    _ = try share(limit: 4)
    #expect(log.lines.count == 1 && log.lines.first?.contains("Permission denied") == true)
  }

  /// A path that is longer than a call takes, as a guest can make one.
  @Test func whatCannotBeReachedIsCounted() throws {
    let name = String(repeating: "n", count: 200)
    var places = [open(directory.path, O_DIRECTORY | O_RDONLY)]
    for _ in 0..<25 {
      try #require(mkdirat(places[places.count - 1], name, 0o755) == 0)
      places.append(openat(places[places.count - 1], name, O_DIRECTORY | O_RDONLY))
    }
    defer {
      for place in places.reversed() {
        unlinkat(place, name, AT_REMOVEDIR)
        close(place)
      }
    }
    _ = try share(limit: 100)
    #expect(log.lines.count == 1 && log.lines.first?.contains("File name too long") == true, "\(log.lines)")
  }

  @Test func whatTheKernelLostIsLookedAtAnew() throws {
    try make("d")
    let share = try share(limit: 100)
    let most = try #require(
      Int(
        String(contentsOfFile: "/proc/sys/fs/inotify/max_queued_events", encoding: .utf8).trimmingCharacters(
          in: .whitespacesAndNewlines)))
    try #require(most <= 1 << 17)
    // Each is an event of its own, as the one before is of another file.
    for name in ["f", "g"] { try write(name) }
    for number in 0...(most / 2) {
      for name in ["f", "g"] { chmod("\(directory.path)/\(name)", number & 1 == 0 ? 0o600 : 0o644) }
    }
    // What came now is lost.
    try make("new")
    try make("new/inner")
    try #require(rmdir(directory.path + "/d") == 0)
    try run(share)
    #expect(taker.take().isSuperset(of: ["/s", "/s/new", "/s/new/inner"]))
    try write("new/inner/f")
    try run(share)
    #expect(taker.take().contains("/s/new/inner/f"))
    #expect(log.lines == [])
  }
}
