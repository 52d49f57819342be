import Foundation
import Glibc
import Host
import HostTesting
import Testing

@testable import Store

struct TemplateStoreTests {
  private let scratch: TemporaryDirectory
  private let store: TemplateStore

  init() throws {
    scratch = try TemporaryDirectory()
    store = TemplateStore(directory: scratch.path + "/templates")
  }

  private var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: store.directory)) ?? []).sorted()
  }

  private func make(_ key: String) throws {
    guard let draft = try store.begin(key) else { throw Errno(EAGAIN) }
    _ = pwrite(draft.descriptor, "state", 5, 0)
    try draft.keep()
  }

  @Test func oneThatIsKeptIsFound() throws {
    #expect(store.find("a") == nil)
    try make("a")
    let found = try #require(store.find("a"))
    #expect(!found.isOld)
    #expect(store.find("b") == nil)
    var status = stat()
    #expect(stat(found.path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
  }

  @Test func oneThatIsNotKeptIsGone() throws {
    do {
      let draft = try store.begin("a")
      let isBegun = draft != nil
      #expect(isBegun)
    }
    #expect(names.isEmpty)
  }

  @Test func oneIsMadeByOneAtATime() throws {
    let draft = try store.begin("a")
    let isRefused = try store.begin("a") == nil
    #expect(isRefused)
    let isOther = try store.begin("b") != nil
    #expect(isOther)
    _ = consume draft
  }

  /// As of a maker that was killed.
  @Test func whatWasLeftBehindGoes() throws {
    try make("a")
    #expect(FileManager.default.createFile(atPath: store.directory + "/new.b", contents: Data([1])))
    try make("c")
    #expect(!names.contains("new.b"))
    #expect(store.removeAll(runtime: scratch.path) == 2)
    #expect(names.isEmpty)
  }

  @Test(arguments: ["written", "mode", "link"])
  func oneThatWasChangedIsNone(_ what: String) throws {
    try make("a")
    let path = try #require(store.find("a")).path
    switch what {
    case "written":
      let file = open(path, O_WRONLY)
      _ = pwrite(file, "x", 1, 0)
      close(file)
    case "mode": chmod(path, 0o644)
    default:
      rename(path, scratch.path + "/away")
      symlink(scratch.path + "/away", path)
    }
    #expect(store.find("a") == nil)
    #expect(names.isEmpty)
  }

  @Test func anOldOneIsUsedAndSaysSo() throws {
    try make("a")
    let path = try #require(store.find("a")).path
    let time = Int(Glibc.time(nil)) - Int(TemplateStore.lifetime) - 10
    var times = [timespec(tv_sec: time, tv_nsec: 0), timespec(tv_sec: time, tv_nsec: 0)]
    #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
    rename(path, "\(store.directory)/a.\(time)-0")
    #expect(store.find("a")?.isOld == true)
  }

  @Test func theLeastRecentlyUsedGo() throws {
    for key in ["a", "b", "c", "d"] { try make(key) }
    usleep(20_000)
    #expect(store.find("a") != nil)
    try make("e")
    #expect(store.find("a") != nil)
    #expect(store.find("e") != nil)
    #expect(names.count == TemplateStore.countLimit)
  }

  /// However long it took to make.
  @Test func oneThatIsNewStays() throws {
    guard let draft = try store.begin("a") else { throw Errno(EAGAIN) }
    _ = pwrite(draft.descriptor, "state", 5, 0)
    usleep(20_000)
    for key in ["b", "c", "d", "e"] { try make(key) }
    usleep(20_000)
    try draft.keep()
    #expect(store.find("a") != nil)
    #expect(names.count == TemplateStore.countLimit)
  }

  @Test func aMakerThatFailedIsRemembered() throws {
    #expect(!store.hasJustFailed)
    let log = try store.log()
    #expect(!store.hasJustFailed)
    _ = write(log.raw, "novm: no\n", 9)
    #expect(store.hasJustFailed)
    let time = Int(Glibc.time(nil)) - Int(TemplateStore.retryPause) - 10
    var times = [timespec(tv_sec: time, tv_nsec: 0), timespec(tv_sec: time, tv_nsec: 0)]
    #expect(utimensat(AT_FDCWD, store.directory + "/log", &times, 0) == 0)
    #expect(!store.hasJustFailed)
    _ = write(log.raw, "novm: no\n", 9)
    #expect(store.hasJustFailed)
    #expect(store.removeAll(runtime: scratch.path) == 0)
    #expect(!store.hasJustFailed)
  }

  /// A number that is this process's was another maker's; 1 is of a process that lives.
  @Test func workshopsOfMakersThatWereKilledGo() throws {
    let runtime = scratch.path + "/runtime"
    let left = ["template-\(getpid())", "template-x", "template-1", "machine"].map { "\(runtime)/\($0)" }
    func isThere(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
    func leaveBehind() throws {
      for path in left {
        try FileManager.default.createDirectory(atPath: path + "/tree", withIntermediateDirectories: true)
      }
    }
    try leaveBehind()
    #expect(try TemplateStore.workshop(in: runtime) == left[0])
    #expect(left.map(isThere) == [true, false, true, true])
    #expect(!isThere(left[0] + "/tree"))
    try leaveBehind()
    _ = store.removeAll(runtime: runtime)
    #expect(left.map(isThere) == [false, false, true, true])
  }
}
