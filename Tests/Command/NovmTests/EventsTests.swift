import Foundation
import Synchronization
import Testing

@testable import Novm

/// What is told of a machine that never starts, while its console, which a guest writes, grows.
struct EventsTests {
  private let novm: NovmProgram
  private let events: Events
  private let console: FileHandle

  init() throws {
    novm = try NovmProgram()
    let store = try Store(root: "\(novm.directory)/store", programs: "\(novm.directory)/libexec")
    let directory = try store.machines.store.create()
    let path = "\(directory.record.path)/console"
    try Data().write(to: URL(filePath: path))
    console = try #require(FileHandle(forWritingAtPath: path))
    events = try Novm.Machine(directory.record, of: store.machines, pending: directory).events(incidents: true)
  }

  private static let line = Data(
    "[    3.141592] Out of memory: Killed process 93 (sh) total-vm:8kB, anon-rss:4096kB, file-rss:0kB\n".utf8)

  private func isTimedOut(_ body: () throws(Failure) -> Void) -> Bool {
    do throws(Failure) {
      try body()
      return false
    } catch {
      return error.code == .timedOut
    }
  }

  @Test func withoutTimeItTellsWhatIsThere() throws {
    try console.write(contentsOf: Self.line + Self.line)
    guard case .incident? = try events.nextEvent(.zero) else { throw Failure(.machine, "no incident") }
    // Passed over, the other one.
    #expect(try events.next(.zero) == .created)
    #expect(isTimedOut { () throws(Failure) in _ = try events.nextEvent(.zero) })
    try console.write(contentsOf: Self.line)
    #expect(isTimedOut { () throws(Failure) in _ = try events.next(.zero) })
  }

  private final class Writing: Sendable {
    let isGivenUp = Mutex(false)
    let isOver = Mutex(false)
  }

  /// It would be waited for until nobody writes any more.
  @Test func aGuestThatWritesOnKeepsNobody() throws {
    #expect(try events.next(.zero) == .created)
    let (console, writing) = (console, Writing())
    let writer = Foundation.Thread {
      for _ in 0..<20_000 where !writing.isGivenUp.withLock({ $0 }) {
        try? console.write(contentsOf: Self.line)
        usleep(500)
      }
      writing.isOver.withLock { $0 = true }
    }
    writer.start()
    #expect(isTimedOut { () throws(Failure) in _ = try events.next(.milliseconds(100)) })
    #expect(!writing.isOver.withLock { $0 })
    writing.isGivenUp.withLock { $0 = true }
    while !writing.isOver.withLock({ $0 }) { usleep(1000) }
  }
}
