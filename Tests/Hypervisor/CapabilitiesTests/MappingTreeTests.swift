import FramePool
import Testing
import TraceTesting

@testable import Capabilities

/// Tables of a model: what each space has, unit by unit.
private struct FakeTables: MappingTables {
  var left = 1000
  var entered: [UInt64: [UInt64: (source: UInt64, rights: UInt8)]] = [:]
  var live = 0
  var retired: [UInt64] = []

  mutating func allocate(_ space: Reference<Space>) -> Reference<Mapping>? {
    guard left > 0 else { return nil }
    left -= 1
    live += 1
    let pointer = UnsafeMutablePointer<Mapping>.allocate(capacity: 1)
    return unsafe Reference(pointer)
  }
  mutating func free(_ mapping: Reference<Mapping>) {
    left += 1
    live -= 1
    unsafe mapping.pointer.deallocate()
  }
  mutating func enter(_ mapping: Reference<Mapping>) -> Bool {
    for unit in 0..<mapping.object.count {
      entered[mapping.object.space.address, default: [:]][mapping.object.base + unit] = (
        mapping.object.source + unit, mapping.object.rights
      )
    }
    return true
  }
  mutating func restrict(_ mapping: Reference<Mapping>) {
    for unit in 0..<mapping.object.count {
      let rights = mapping.object.rights
      entered[mapping.object.space.address]?[mapping.object.base + unit] =
        rights == 0 ? nil : (mapping.object.source + unit, rights)
    }
  }
  mutating func retire(_ mapping: Reference<Mapping>) {
    retired.append(mapping.object.source)
    free(mapping)
  }
}

@Suite struct MappingTreeTests {
  enum Operation {
    case delegate(from: Int, UInt64, to: Int, UInt64, order: UInt64, rights: UInt64)
    case revoke(Int, UInt64, order: UInt64, rights: UInt8, itself: Bool)
  }

  /// One mapping of the model's: a naive tree of values.
  private struct Node {
    var space: Int
    var base: UInt64
    var source: UInt64
    var order: UInt64
    var rights: UInt8
    var parent: Int?
    var isGone = false
    var end: UInt64 { base + 1 << order }
  }

  private func meet(_ a: UInt64, _ aSize: UInt64, _ b: UInt64, _ bSize: UInt64) -> Bool {
    a < b + bSize && b < a + aSize
  }

  @Test func treesAreThoseOfAModel() {
    let fault = Traces.fault(count: 80, length: 100) { random in
      let order = UInt64.random(in: 0...3, using: &random)
      let mask = ~((1 << order) - 1) as UInt64
      let base = UInt64.random(in: 0..<32, using: &random) & mask
      let space = Int.random(in: 0..<4, using: &random)
      if Int.random(in: 0..<3, using: &random) > 0 {
        return Operation.delegate(
          from: space, base, to: Int.random(in: 0..<4, using: &random),
          UInt64.random(in: 0..<32, using: &random) & mask, order: order,
          rights: [1, 3, 7].randomElement(using: &random)!)
      }
      return .revoke(
        space, base, order: order, rights: [1, 2, 7].randomElement(using: &random)!, itself: Bool.random(using: &random)
      )
    } _: { trace in
      run(trace)
    }
    #expect(fault == nil)
  }

  private func run(_ trace: [Operation]) -> String? {
    var tables = FakeTables()
    let memory = UnsafeMutablePointer<Space>.allocate(capacity: 4)
    defer { unsafe memory.deallocate() }
    for index in 0..<4 { unsafe (memory + index).initialize(to: Space(owner: UInt64(index), kind: 1)) }
    let spaces = (0..<4).map { unsafe Reference<Space>(memory + $0) }
    let root = tables.allocate(spaces[0])!
    root.object = Mapping(space: spaces[0], base: 0, source: 100, order: 4, rights: 7)
    guard MappingTree.plant(root, &tables) else { return "nothing can be planted" }
    var model = [Node(space: 0, base: 0, source: 100, order: 4, rights: 7, parent: nil)]

    for operation in trace {
      switch operation {
      case .delegate(let from, let source, let to, let target, let order, let rights):
        do throws(MappingTree.Failure) {
          try MappingTree.delegate(
            from: spaces[from], source, to: spaces[to], target, order: order, rights: rights, attributes: 0, &tables)
        } catch { return "memory is lost" }
        // A mapping that this very delegation makes is among those that it looks for, as in the model.
        var address = source
        while true {
          let candidates = model.indices.filter {
            !model[$0].isGone && model[$0].space == from && model[$0].end > address
              && model[$0].base < source + 1 << order
          }
          guard let index = candidates.min(by: { model[$0].base < model[$1].base }) else { break }
          let node = model[index]
          address = node.end
          let given = node.rights & UInt8(rights)
          guard given != 0 else { continue }
          let start = max(node.base, source)
          let new = Node(
            space: to, base: start - source + target, source: node.source + start - node.base,
            order: min(node.order, order), rights: given, parent: index)
          guard
            !model.contains(where: {
              !$0.isGone && $0.space == to && meet($0.base, 1 << $0.order, new.base, 1 << new.order)
            })
          else { continue }
          model.append(new)
        }
      case .revoke(let space, let base, let order, let rights, let itself):
        var steps = 0
        while !MappingTree.revoke(spaces[space], base, order: order, rights: rights, itself: itself, &tables) {
          steps += 1
          if steps > 1000 { return "a revocation does not end" }
        }
        let tops = model.indices.filter {
          !model[$0].isGone && model[$0].space == space && meet(model[$0].base, 1 << model[$0].order, base, 1 << order)
        }
        for top in tops where !model[top].isGone {
          let node = model[top]
          let low = max(node.base, base) - node.base + node.source
          let size: UInt64 = 1 << min(node.order, order)
          func below(_ parent: Int) {
            for index in model.indices where model[index].parent == parent && !model[index].isGone {
              guard parent != top || itself || meet(model[index].source, 1 << model[index].order, low, size) else {
                continue
              }
              take(index)
            }
          }
          func take(_ index: Int) {
            below(index)
            model[index].rights &= ~rights
            if model[index].rights == 0 { model[index].isGone = true }
          }
          below(top)
          if itself {
            model[top].rights &= ~rights
            if model[top].rights == 0 { model[top].isGone = true }
          }
        }
      }
      if let fault = compare(model, tables, spaces) { return fault }
    }
    for space in spaces { while !MappingTree.revoke(space, 0, order: 6, rights: 7, itself: true, &tables) {} }
    if tables.live != 0 { return "\(tables.live) mappings are lost" }
    return tables.retired.count == 1 ? nil : "what was planted was not retired once"
  }

  private func compare(_ model: [Node], _ tables: FakeTables, _ spaces: [Reference<Space>]) -> String? {
    let alive = model.filter { !$0.isGone }
    if tables.live != alive.count { return "\(tables.live) mappings instead of \(alive.count)" }
    for (index, space) in spaces.enumerated() {
      if space.object.count != UInt64(alive.filter { $0.space == index }.count) {
        return "space \(index) has another count"
      }
      for unit in UInt64(0)..<40 {
        let wanted = alive.first { $0.space == index && $0.base <= unit && unit < $0.end }
        let entered = tables.entered[space.address]?[unit]
        if entered?.source != wanted.map({ $0.source + unit - $0.base }) {
          return "unit \(unit) of space \(index) leads elsewhere"
        }
        if entered?.rights != wanted?.rights { return "unit \(unit) of space \(index) has other rights" }
        let found = space.object.find(unit)
        if (found == nil) != (wanted == nil) { return "unit \(unit) of space \(index) is not found, or should not be" }
        if let found, let parent = found.object.parent, found.object.rights & ~parent.object.rights != 0 {
          return "a child has more than its parent"
        }
      }
    }
    return nil
  }

  @Test func deepTreesEndSomewhere() throws {
    var tables = FakeTables()
    let memory = UnsafeMutablePointer<Space>.allocate(capacity: 1)
    defer { unsafe memory.deallocate() }
    unsafe memory.initialize(to: Space(owner: 0, kind: 1))
    let space = unsafe Reference<Space>(memory)
    let root = tables.allocate(space)!
    root.object = Mapping(space: space, base: 0, source: 0, rights: 1)
    let isPlanted = MappingTree.plant(root, &tables)
    #expect(isPlanted)
    for base in UInt64(0)..<400 {
      try MappingTree.delegate(
        from: space, base, to: space, base + 1, order: 0, rights: 1, attributes: 0, &tables)
    }
    #expect(space.object.count == 256)
    var steps = 1
    while !MappingTree.revoke(space, 0, order: 0, rights: 1, itself: true, &tables) { steps += 1 }
    #expect(tables.live == 0)
    #expect(steps > 4)
  }
}
