import Host
import Testing

@testable import FileSystem

struct AnnouncementsTests {
  private let announcements = Announcements()

  init() { _ = announcements.takes(0, .content, changed: FileTime(seconds: 0, nanoseconds: 0)) }

  private func later(_ seconds: Int64) -> FileTime {
    var time = FileTime.nowPrecisely()
    time.seconds += seconds
    return time
  }

  /// However long a stamp takes to come, as after a large operation.
  @Test func whatTheGuestHasChangedIsItsOwn() {
    announcements.changed(7)
    for kind in [.content, .attributes] as [Announcements.Kind] {
      for age in [-100, -1] { #expect(!announcements.takes(7, kind, changed: later(Int64(age)))) }
      // What the host has changed since is not, however soon the stamp comes, and is told once.
      let since = later(1)
      #expect(announcements.takes(7, kind, changed: since))
      #expect(!announcements.takes(7, kind, changed: since))
    }
    #expect(announcements.takes(8, .content, changed: later(-1)))
  }

  @Test func nothingIsKeptBeforeThereAreWatchers() {
    let announcements = Announcements()
    announcements.changed(7)
    #expect(!announcements.isActive)
    #expect(announcements.takes(7, .content, changed: later(-1)))
    #expect(announcements.isActive)
    announcements.changed(7)
    #expect(!announcements.takes(7, .content, changed: later(-1)))
  }

  @Test func theOlderHalfIsForgotten() {
    let count = UInt64(Announcements.limit) * 3
    for node in 1...count { announcements.changed(node) }
    let recent = UInt64(Announcements.limit) / 2
    for node in (count - recent + 1)...count {
      guard announcements.takes(node, .content, changed: later(-60)) else { continue }
      Issue.record("\(node) is forgotten")
      return
    }
    #expect(announcements.takes(1, .content, changed: later(-60)))
  }
}
