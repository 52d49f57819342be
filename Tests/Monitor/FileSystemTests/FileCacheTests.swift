import Host
import Testing

@testable import FileSystem

struct FileCacheTests {
  private let cache = FileCache(capacity: 3)

  private func node(_ id: UInt64) -> Node {
    Node(
      id: id, type: FileType.regular, inode: id, parent: nil, name: [0],
      identity: FileIdentity(rank: 0, device: 0, inode: id), writeLayer: nil)
  }

  private func open() throws -> SharedDescriptor {
    SharedDescriptor(try FileDescriptor.open("/dev/null", OpenFlags.read))
  }

  @Test func keepsAsManyAsItMayAndClosesTheIdle() throws {
    let nodes = (1...10).map { node(UInt64($0)) }
    for each in nodes {
      cache.add(each, try open(), isWritable: false)
      // Always in use, so never the one to go.
      #expect(cache.find(nodes[0], forWriting: false) != nil)
    }
    #expect(cache.count == 3)
    #expect(nodes.filter { $0.openFile != nil }.count == 3)
    #expect(cache.find(nodes[9], forWriting: false) != nil)
  }

  @Test func whatTheGuestHoldsOpenStays() throws {
    let nodes = (1...5).map { node(UInt64($0)) }
    for each in nodes {
      cache.add(each, try open(), isWritable: each.id == 1)
      cache.hold(each)
    }
    #expect(cache.count == 5)
    cache.dropIdle()
    #expect(cache.count == 5)
    for each in nodes { cache.release(each) }
    // What could be written is closed with the last use of it.
    #expect(nodes[0].openFile == nil)
    #expect(nodes[1].openFile != nil)
    // One end too many.
    cache.release(nodes[1])
    #expect(nodes[1].opens == 0)
    cache.dropIdle()
    #expect(cache.count == 0)
  }

  @Test func writingWantsADescriptorThatCan() throws {
    let file = node(1)
    cache.add(file, try open(), isWritable: false)
    #expect(cache.find(file, forWriting: true) == nil)
    let writable = try open()
    cache.add(file, writable, isWritable: true)
    #expect(cache.find(file, forWriting: true) === writable)
    cache.add(file, try open(), isWritable: false)
    #expect(cache.find(file, forWriting: false) === writable)
    #expect(cache.count == 1)
    cache.drop(file)
    #expect(cache.count == 0)
  }
}
