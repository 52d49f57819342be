import FUSE
import Glibc
import Host
import HostTesting
import Testing

@testable import FileSystem

/// Reading directories part by part, while they change and others read them too.
struct ListingTests {
  let layers = Layers()

  private func populate(isMerged: Bool) throws -> FUSEClient {
    for number in 0..<300 { layers.lower("d/name\(number)") }
    let client = try layers.client()
    if isMerged { for number in 300..<400 { try client.put("d/name\(number)", "") } }
    return client
  }

  @Test(arguments: [false, true]) func removingWhileReadingSkipsNothing(isMerged: Bool) throws {
    let client = try populate(isMerged: isMerged)
    #expect(try removeAllWhileReading(client) == (isMerged ? 400 : 300))
  }

  /// There an offset is a count of entries before Linux 6.6, and says something else when some were removed.
  @Test(.needsRoot) func removingWhileReadingOnTmpfs() throws {
    let layers = Layers(in: "/dev/shm")
    let client = try layers.client()
    try client.mkdir("d")
    for number in 0..<300 { try client.put("d/name\(number)", "") }
    #expect(try removeAllWhileReading(client) == 300)
  }

  /// Removes what is in a directory as it is read, and then the directory; returns how many names there were.
  private func removeAllWhileReading(_ client: FUSEClient) throws -> Int {
    let node = try client.node("d")
    var (seen, offset): ([String], UInt64) = ([], 0)
    while true {
      let (names, next) = try client.part(of: node, from: offset, size: 700)
      if names.isEmpty { break }
      for name in names where name != "." && name != ".." {
        seen.append(name)
        try client.unlink("d/" + name)
      }
      offset = next
    }
    #expect(Set(seen).count == seen.count)
    try client.rmdir("d")
    return seen.count
  }

  @Test(arguments: [false, true]) func offsetsOutliveTheListing(isMerged: Bool) throws {
    let client = try populate(isMerged: isMerged)
    let node = try client.node("d")
    var (seen, offset): (Set<String>, UInt64) = ([], 0)
    while true {
      let (names, next) = try client.part(of: node, from: offset, size: 700)
      if names.isEmpty { break }
      seen.formUnion(names)
      offset = next
      // As if too many others had been read meanwhile.
      client.server.tree.listings.dropAll()
    }
    #expect(seen.count == (isMerged ? 402 : 302))
  }

  @Test func twoReadersShareOneListing() throws {
    let client = try populate(isMerged: true)
    let node = try client.node("d")
    var (seen, offsets): ([Set<String>], [UInt64]) = ([[], []], [0, 0])
    var isDone = [false, false]
    while isDone != [true, true] {
      for reader in 0...1 where !isDone[reader] {
        let (names, next) = try client.part(of: node, from: offsets[reader], size: reader == 0 ? 500 : 900)
        if names.isEmpty { isDone[reader] = true } else { offsets[reader] = next }
        seen[reader].formUnion(names)
      }
    }
    #expect(seen.map(\.count) == [402, 402])
  }

  @Test func namesOfOneHashAreFoundByOffsetsOfTheirOwn() {
    let entries = ["a", "b", "c", "d"].map {
      MergedDirectory.Entry(name: Array($0.utf8) + [0], type: 8, offset: $0 == "d" ? 8 : 7)
    }
    let ordered = MergedDirectory.ordered(entries.reversed())
    #expect(ordered.map(\.offset) == [7, 8, 9, 10])
    for (index, entry) in ordered.enumerated() {
      #expect(MergedDirectory.index(after: entry.offset, in: ordered) == index + 1)
    }
    #expect(MergedDirectory.index(after: 2, in: ordered) == 0)
    #expect(MergedDirectory.index(after: .max, in: ordered) == 4)
  }
}

extension FUSEClient {
  /// One READDIR: the names, and where to go on.
  func part(of node: UInt64, from offset: UInt64, size: UInt32) throws -> (names: [String], next: UInt64) {
    var arguments = Bytes()
    for value in [0, offset, UInt64(size), 0, 0] { arguments.put(value) }
    let reply = call(.readdir, node, arguments.bytes)
    if reply.error != 0 { throw Errno(reply.error) }
    var (names, next, at): ([String], UInt64, Int) = ([], offset, 0)
    while at < reply.bytes.count {
      let length = Int(reply.load(UInt32.self, at: at + 16))
      next = reply.load(at: at + 8)
      names.append(String(decoding: reply.bytes[(at + 24)..<(at + 24 + length)], as: UTF8.self))
      at = (at + 24 + length + 7) & ~7
    }
    return (names, next)
  }
}
