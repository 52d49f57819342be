import Testing
import TraceTesting

@testable import Paging

/// Frames of this process's memory, of which some number is left.
private struct FakeFrames: PageFrames {
  var left: Int
  var held: Set<UInt64> = []

  mutating func allocate() -> UInt64? {
    guard left > 0 else { return nil }
    left -= 1
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 4096)
    unsafe memory.initializeMemory(as: UInt64.self, repeating: 0, count: 512)
    let frame = UInt64(UInt(bitPattern: memory))
    held.insert(frame)
    return frame
  }

  mutating func free(_ frame: UInt64) {
    precondition(held.remove(frame) != nil)
    left += 1
    unsafe UnsafeMutableRawPointer(bitPattern: UInt(frame))!.deallocate()
  }

  var window: UInt64 { 0 }
}

@Suite struct PageTableTests {
  enum Operation {
    case map(UInt64, UInt64, UInt64, Bool)
    case change(UInt64, UInt64, PageTable.Attributes)
  }

  /// Few places, so that operations meet: pages around borders of tables.
  private func page(_ random: inout Traces.Random) -> UInt64 {
    [0, 511, 512, 513, 1024, 0x3fe00, 0x3ffff, 0x40000, 0x7ff_fffe].randomElement(using: &random)!
  }

  @Test(arguments: [1000, 9]) func translationsAreThoseOfAModel(frames: Int) {
    let fault = Traces.fault(length: 60) { random in
      Bool.random(using: &random)
        ? Operation.map(
          page(&random), [0, 512, 1, 0x40000].randomElement(using: &random)!,
          [1, 2, 512, 1024, 0x40000].randomElement(using: &random)!, Bool.random(using: &random))
        : .change(
          page(&random), [1, 512, 1024].randomElement(using: &random)!, [[], .readable].randomElement(using: &random)!)
    } _: { trace in
      var source = FakeFrames(left: frames)
      let table = PageTable(root: source.allocate()!)
      // What was mapped in one go, by its first page: changes take effect on whole large pages.
      var model: [(page: UInt64, physical: UInt64, count: UInt64, attributes: PageTable.Attributes)] = []
      for operation in trace {
        switch operation {
        case .map(let page, let physical, let count, let huge):
          let meets = model.contains { $0.page < page + count && page < $0.page + $0.count }
          let attributes: PageTable.Attributes = [.readable, .writable, .user]
          do throws(PageTable.Failure) {
            try table.map(
              page << 12, to: physical << 12, frames: count, attributes, hugePages: huge, &source)
            if meets { return "mapped over something" }
            model.append((page, physical, count, attributes))
          } catch {
            if error == .occupied && !meets { return "occupied by nothing" }
          }
        case .change(let page, let count, let attributes):
          // Only whole mappings, as the mapping tree does it.
          guard let index = model.firstIndex(where: { $0.page < page + count && page < $0.page + $0.count }) else {
            continue
          }
          table.change(model[index].page << 12, frames: model[index].count, attributes, &source)
          if attributes.isEmpty { model.remove(at: index) } else { model[index].attributes = attributes }
        }
        for page in [0, 511, 512, 513, 1023, 0x3fe00, 0x3ffff, 0x40000, 0x40001, 0x7ff_fffe] as [UInt64] {
          let wanted = model.first { $0.page <= page && page < $0.page + $0.count }
          let found = table.translate(page << 12, window: 0)
          if found?.physical != wanted.map({ ($0.physical + page - $0.page) << 12 }) {
            return "page \(page) leads elsewhere"
          }
          if let found, let wanted, found.attributes != wanted.attributes { return "page \(page) has other rights" }
        }
      }
      for mapping in model { table.change(mapping.page << 12, frames: mapping.count, [], &source) }
      let lost = source.held.count - 1
      for frame in source.held { source.free(frame) }
      return lost == 0 ? nil : "\(lost) tables are lost"
    }
    #expect(fault == nil)
  }
}
