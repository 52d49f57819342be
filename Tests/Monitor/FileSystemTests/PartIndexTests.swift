import FUSE
import Foundation
import Glibc
import Host
import HostTesting
import Testing

@testable import FileSystem

/// Directories of many packs, whose lookups ask those alone that have the name.
struct PartIndexTests {
  private let layers = Layers()
  private static let count = 12

  private func pack(_ number: Int) -> String { "\(layers.base)/pack\(number)" }

  /// Files, directories, what removes them, and what takes their place, differently in each; the same for a seed.
  private func make(seed: UInt64) {
    var random = SplitMix(seed)
    for number in 0..<Self.count {
      layers.mkdir(pack(number))
      for _ in 0..<12 {
        let directory = ["", "d/", "d/e/", "f/"][random.next(4)]
        let name = directory + ["a", "b", "c", "d", "e", "f", "g"][random.next(7)]
        let path = "\(pack(number))/\(name)"
        guard !layers.exists(path), isPath(above: path) else { continue }
        switch random.next(6) {
        case 0: layers.put("\(path)/inner\(number)", "\(number)")
        case 1: layers.put("\(path)/inner", "\(number)")
        case 2:
          layers.mkdir(path)
          layers.setAttribute(path, "user.overlay.opaque", "y")
        case 3:
          layers.mkdir((path as NSString).deletingLastPathComponent)
          #expect(mknod(path, S_IFCHR, 0) == 0)
        default: layers.put(path, "\(number)")
        }
      }
    }
  }

  /// Whether all that leads to it are directories, or can be made.
  private func isPath(above path: String) -> Bool {
    var path = (path as NSString).deletingLastPathComponent
    while path.count > layers.base.count {
      var status = stat()
      if lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFDIR { return false }
      path = (path as NSString).deletingLastPathComponent
    }
    return true
  }

  private func tree(arePacks: Bool, upper: String) throws -> LayeredTree {
    layers.mkdir(upper)
    return try LayeredTree(
      reads: (0..<Self.count).map { LayerMap(guestPath: "/", hostPath: pack($0), isPack: arePacks) },
      writes: [LayerMap(guestPath: "/", hostPath: upper)], ownership: .recorded)
  }

  /// All that there is below a directory, by path: what kind it is, and files' contents.
  private func seen(_ client: FUSEClient, lists: Bool) throws -> [String: String] {
    var found: [String: String] = [:]
    func look(_ directory: String) throws {
      var names = ["a", "b", "c", "d", "e", "f", "g", "inner", "new"] + (0..<Self.count).map { "inner\($0)" }
      if lists {
        let listed = try client.names(directory.isEmpty ? "/" : directory).filter { ![".", ".."].contains($0) }
        #expect(Set(listed) == Set(names.filter { client.exists(directory + $0) }))
        names = listed
      }
      for name in names where client.exists(directory + name) {
        let path = directory + name
        let kind = try client.attributes(path).mode & FileType.mask
        found[path] = "\(kind)" + (kind == FileType.regular ? try client.contents(path) : "")
        if kind == FileType.directory { try look(path + "/") }
      }
    }
    try look("")
    return found
  }

  @Test(arguments: 0..<20) func indicesChangeNothing(seed: UInt64) throws {
    make(seed: seed)
    let tree = try tree(arePacks: true, upper: "\(layers.base)/upper1")
    let client = FUSEClient(FileSystemServer(tree), offering: FUSEClient.linux)
    let asked = FUSEClient(
      FileSystemServer(try self.tree(arePacks: false, upper: "\(layers.base)/upper2")), offering: FUSEClient.linux)
    // Looked up until there is an index, and then with it; or listed before anything else.
    for turn in 0..<3 {
      let lists = turn == 2 || seed % 2 == 1
      #expect(try seen(client, lists: lists) == seen(asked, lists: lists))
    }
    #expect(tree.indices.index(of: tree.root.parts) != nil)
    for client in [client, asked] {
      for path in ["a", "d/a", "f/b", "d/e/c"] where client.exists(path) {
        if try client.attributes(path).mode & FileType.mask != FileType.directory { try client.unlink(path) }
      }
      if !client.exists("new") { try client.put("new", "new") }
      for path in ["d/new", "f/new"] where client.exists((path as NSString).deletingLastPathComponent) {
        if try client.attributes((path as NSString).deletingLastPathComponent).mode & FileType.mask
          == FileType.directory
        {
          try client.put(path, "new")
        }
      }
    }
    for lists in [false, true] { #expect(try seen(client, lists: lists) == seen(asked, lists: lists)) }
  }

  private func asks(_ tree: LayeredTree, _ name: String) -> [Int] {
    let bytes = [UInt8](name.utf8) + [0]
    var walk = PartIndex.Walk(tree.root.parts, bytes.span, tree.indices)
    var parts: [Int] = []
    while let part = walk.next() { parts.append(part) }
    return parts
  }

  @Test func thoseAloneAreAskedThatHaveTheName() throws {
    for number in 0..<Self.count { layers.put("\(pack(number))/f\(number)", "x") }
    for number in [2, 5] { layers.put("\(pack(number))/both", "\(number)") }
    let tree = try tree(arePacks: true, upper: layers.upper)
    let client = FUSEClient(FileSystemServer(tree), offering: FUSEClient.linux)
    let all = Array(0...Self.count)
    #expect(asks(tree, "both") == all)
    // The first is the write map.
    _ = try client.list("/")
    #expect(asks(tree, "nosuch") == [0])
    #expect(asks(tree, "f0") == [0, Self.count] && asks(tree, "f11") == [0, 1])
    #expect(asks(tree, "both") == [0, Self.count - 5, Self.count - 2])
    #expect(try client.contents("both") == "5")
  }

  @Test func manyMissesMakeAnIndex() throws {
    for number in 0..<Self.count { layers.put("\(pack(number))/f\(number)", "x") }
    let tree = try tree(arePacks: true, upper: layers.upper)
    let client = FUSEClient(FileSystemServer(tree), offering: FUSEClient.linux)
    #expect(!client.exists("no0"))
    #expect(asks(tree, "f0").count == Self.count + 1)
    for number in 1..<10 { #expect(!client.exists("no\(number)")) }
    #expect(asks(tree, "f0") == [0, Self.count])
  }

  /// What there is no room for is asked, and room comes back.
  @Test func roomForIndices() throws {
    for number in 0..<Self.count { layers.put("\(pack(number))/f\(number)", "x") }
    let tree = try tree(arePacks: true, upper: layers.upper)
    let parts = tree.root.parts
    let small = PartIndices(room: 3)
    func fill(_ count: Int, _ indices: PartIndices) {
      var maker = indices.maker()
      for number in 0..<Self.count {
        if number < count { maker.add([UInt8(ascii: "a") + UInt8(number), 0]) }
        maker.endPack()
      }
      indices.set(maker, parts[1])
    }
    fill(4, small)
    #expect(small.index(of: parts) == nil)
    fill(3, small)
    #expect(small.index(of: parts) != nil && small.placeForIndex(parts) == nil)
    parts[1].index = nil
    fill(3, small)
    #expect(small.index(of: parts) != nil)
  }

  private struct SplitMix {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next(_ bound: Int) -> Int {
      state &+= 0x9e37_79b9_7f4a_7c15
      var value = state
      value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
      value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
      return Int((value ^ value >> 31) % UInt64(bound))
    }
  }
}
