import Testing
import TraceTesting

@testable import Capabilities

@Suite struct SlotTableTests {
  enum Operation {
    case insert(UInt64, UInt64)
    case remove(UInt64)
    case replace(UInt64, UInt64)
  }

  @Test func slotsAreThoseOfADictionary() {
    let selectors: [UInt64] = [0, 1, 511, 512, 0x3ffff, 0x40000, SlotTable.selectors - 1, SlotTable.selectors, .max]
    let fault = Traces.fault(length: 80) { random in
      let selector = selectors.randomElement(using: &random)!
      let value = UInt64.random(in: 1...9, using: &random)
      switch Int.random(in: 0..<3, using: &random) {
      case 0: return Operation.insert(selector, value)
      case 1: return .remove(selector)
      default: return .replace(selector, value)
      }
    } _: { trace in
      var frames: Set<UInt64> = []
      // Every third time there is none.
      var wishes = 0
      func frame() -> UInt64? {
        wishes += 1
        guard wishes % 3 != 0 else { return nil }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 4096)
        unsafe memory.initializeMemory(as: UInt64.self, repeating: 0, count: 512)
        frames.insert(UInt64(UInt(bitPattern: memory)))
        return UInt64(UInt(bitPattern: memory))
      }
      func free(_ frame: UInt64) {
        frames.remove(frame)
        unsafe UnsafeMutableRawPointer(bitPattern: UInt(frame))!.deallocate()
      }
      let table = SlotTable(root: frame()!, first: frame()!)
      var model: [UInt64: UInt64] = [:]
      for operation in trace {
        switch operation {
        case .insert(let selector, let value):
          guard model[selector] == nil else { continue }
          let isThere = table.insert(value, at: selector, frame, free)
          if isThere, selector >= SlotTable.selectors { return "\(selector) should not be had" }
          if isThere { model[selector] = value }
        case .remove(let selector):
          table.remove(at: selector, free)
          model[selector] = nil
        case .replace(let selector, let value):
          table.replace(value, at: selector)
          if model[selector] != nil { model[selector] = value }
        }
        for selector in selectors where table[selector] != model[selector] ?? 0 {
          return "\(selector) has something else"
        }
      }
      for selector in model.keys { table.remove(at: selector, free) }
      let lost = frames.count - 2
      for frame in frames { free(frame) }
      return lost == 0 ? nil : "\(lost) frames are lost"
    }
    #expect(fault == nil)
  }
}
