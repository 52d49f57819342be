import Host
import Testing

@testable import FileSystem

struct NodeTableTests {
  private let files = FileCache(capacity: 8)
  private let table: NodeTable
  private let root = node(1, nil, "")

  private static func node(_ id: UInt64, _ parent: Node?, _ name: String) -> Node {
    Node(
      id: id, type: FileType.directory, inode: id, parent: parent, name: Array(name.utf8) + [0],
      identity: FileIdentity(rank: 0, device: 0, inode: id), writeLayer: nil)
  }

  private func enter(_ parent: Node, _ name: String, linkedAs: FileIdentity? = nil) -> Node {
    table.enter(parent, Array(name.utf8) + [0], linkedAs: linkedAs) { NodeTableTests.node($0, parent, name) }
  }

  private func find(_ parent: Node, _ name: String) -> Node? {
    let name = Array(name.utf8) + [0]
    return table.peek(parent, name.span)
  }

  init() {
    table = NodeTable(files: files)
    table.addRoot(root)
  }

  @Test func findsThousandsOfNamesAndForgetsThem() {
    let nodes = (0..<5000).map { enter(root, "name\($0)") }
    #expect(table.count == 5001)
    for (index, node) in nodes.enumerated() {
      #expect(find(root, "name\(index)") === node)
      #expect(table.node(node.id) === node)
    }
    for node in nodes { table.forget(node.id, 1) }
    #expect(table.count == 1)
    #expect(find(root, "name7") == nil)
    // Their ids are not given out again.
    let again = Set((0..<5000).map { enter(root, "name\($0)").id })
    #expect(again.isDisjoint(with: nodes.map(\.id)))
  }

  @Test func aDirectoryStaysForWhatIsInIt() {
    let directory = enter(root, "d")
    let file = enter(directory, "f")
    table.forget(directory.id, 1)
    #expect(table.node(directory.id) === directory)
    #expect(find(root, "d") === directory)
    table.forget(file.id, 1)
    #expect(table.node(directory.id) == nil)
    #expect(table.count == 1)
  }

  /// A request may still hold a node that the guest gave back meanwhile.
  @Test func aNodeThatWentHasNoNames() {
    let gone = enter(root, "f")
    table.forget(gone.id, 1)
    let next = enter(root, "f")
    #expect(next.id & 0xffff_ffff == gone.id & 0xffff_ffff)
    let name = Array("f".utf8) + [0]
    table.removeName(gone, root, name.span)
    table.addName(gone, root, Array("g".utf8) + [0])
    #expect(find(root, "f") === next)
    #expect(find(root, "g") == nil)
    #expect(root.holds == 1)
  }

  @Test func oneFileOfSeveralNamesIsOneNode() {
    let identity = FileIdentity(rank: 0, device: 1, inode: 99)
    let a = enter(root, "a", linkedAs: identity)
    let b = enter(root, "b", linkedAs: identity)
    #expect(a === b)
    let name = Array("a".utf8) + [0]
    table.removeName(a, root, name.span)
    #expect(find(root, "a") == nil)
    #expect(find(root, "b") === a)
    #expect(a.name == Array("b".utf8) + [0])
    table.forget(a.id, 2)
    #expect(table.count == 1)
    #expect(table.linkedNode(identity) == nil || table.linkedNode(identity)?.isInTable == false)
  }

  @Test func aNodeThatGoesIsClosed() throws {
    let node = enter(root, "f")
    files.add(node, SharedDescriptor(try FileDescriptor.open("/dev/null", OpenFlags.read)), isWritable: false)
    #expect(files.count == 1)
    table.forget(node.id, 1)
    #expect(files.count == 0)
  }

  @Test func theRootStays() {
    table.forget(1, .max)
    #expect(table.node(1) === root)
    table.forgetAll()
    #expect(table.node(1) === root)
  }

  @Test func pinsAreLimited() {
    table.pinLimit = 2
    let nodes = (0..<3).map { enter(root, "\($0)") }
    #expect(nodes.map { table.takePin($0) } == [true, true, false])
    // One that has it keeps it.
    #expect(table.takePin(nodes[0]))
    table.forget(nodes[0].id, 1)
    #expect(table.takePin(nodes[2]))
  }

  @Test func whatIsDiscardedHoldsNoPin() {
    table.pinLimit = 1
    let directory = enter(root, "d")
    // With something in it that the guest knows it stays.
    _ = enter(directory, "f")
    #expect(table.takePin(directory) && !table.hasPinRoom)
    table.discard(directory)
    #expect(table.hasPinRoom && directory.isInTable)
  }
}

struct InodeNumbersTests {
  @Test func numbersOfSeveralDevicesDoNotMeet() {
    let numbers = InodeNumbers(main: 5)
    #expect(numbers.number(device: 5, inode: 1234) == 1234)
    var seen: Set<UInt64> = []
    for device in 5..<500 as Range<UInt64> {
      for inode in [2, 3, 1 << 40] as [UInt64] {
        #expect(seen.insert(numbers.number(device: device, inode: inode)).inserted)
      }
    }
    // The same again, and in another run.
    #expect(numbers.number(device: 7, inode: 2) == InodeNumbers(main: 5).number(device: 7, inode: 2))
  }

  @Test func largeNumbersStayBelowTheTag() {
    let numbers = InodeNumbers(main: 5)
    #expect(numbers.number(device: 5, inode: .max) < 1 << 48)
    #expect(numbers.number(device: 6, inode: .max) >> 48 == numbers.number(device: 6, inode: 1) >> 48)
  }
}

struct DescriptorCacheTests {
  @Test func keepsAsManyAsItMayAndClosesTheIdle() throws {
    let layers = Layers()
    let layer = try Layer(
      rank: 0, map: LayerMap(guestPath: "/", hostPath: layers.lower),
      root: SharedDescriptor(try FileDescriptor.open(layers.lower, OpenFlags.directory)), kind: .read)
    let cache = DescriptorCache(capacity: 4)
    let parts = (0..<10).map { _ in DirectoryPart(layer: layer) }
    var numbers: [Int32] = []
    for part in parts {
      let descriptor = SharedDescriptor(try FileDescriptor.open(layers.lower, OpenFlags.directory))
      numbers.append(descriptor.raw)
      cache.add(part, descriptor)
      // Always in use, so never the one to go.
      #expect(cache.find(parts[0]) != nil || part !== parts[0])
    }
    #expect(parts.filter { $0.descriptor != nil }.count == 4)
    #expect(cache.find(parts[9]) != nil)
    // Closed, so their numbers were given out again.
    #expect(Set(numbers).count < 10)
  }
}
