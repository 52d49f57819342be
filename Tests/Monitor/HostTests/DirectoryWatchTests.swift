import Foundation
import Glibc
import Testing

@testable import Host

struct DirectoryWatchTests {
  @Test func tellsByName() throws {
    let path = NSTemporaryDirectory() + "novm-watch-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let watch = try DirectoryWatch()
    let directory = try FileDescriptor.open(Path(path), OpenFlags.directory)
    let number = try watch.add(directory.raw)
    #expect(try watch.add(directory.raw) == number)
    #expect(watch.events().isEmpty)

    func events() -> [(String, DirectoryWatch.Changes)] {
      var all: [DirectoryWatch.Event] = []
      while case let more = watch.events(), !more.isEmpty { all += more }
      #expect(all.allSatisfy { $0.directory == number })
      return all.map { (String(decoding: $0.name, as: UTF8.self), $0.changes) }
    }
    let name = "a name of an odd length"
    try #require(mkdir(path + "/d", 0o755) == 0)
    try Data("text".utf8).write(to: URL(fileURLWithPath: path + "/" + name))
    try #require(chmod(path + "/" + name, 0o600) == 0)
    var seen = events()
    #expect(seen.contains { $0 == ("d", [.isDirectory, DirectoryWatch.Changes(rawValue: 0x100)]) })
    #expect(seen.contains { $0.0 == name && !$0.1.isDisjoint(with: .came) })
    #expect(seen.contains { $0.0 == name && $0.1.contains(.modified) })
    #expect(seen.contains { $0.0 == name && $0.1.contains(.attributes) })
    // More than the buffer takes at once.
    for number in 0..<300 { try #require(mkdir(path + "/\(number)", 0o755) == 0) }
    #expect(Set(events().map(\.0)) == Set((0..<300).map(String.init)))
    try #require(unlink(path + "/" + name) == 0 && rename(path + "/d", path + "/e") == 0)
    seen = events()
    #expect(seen.filter { !$0.1.isDisjoint(with: .went) }.map(\.0) == [name, "d"])
    #expect(seen.filter { !$0.1.isDisjoint(with: .came) }.map(\.0) == ["e"])
    watch.remove(number)
    #expect(events().last?.1 == .ended)
    #expect(DirectoryWatch.mostOfUser ?? 0 > 0)
  }
}
