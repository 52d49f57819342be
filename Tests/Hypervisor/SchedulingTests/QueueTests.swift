import FramePool
import Testing
import TraceTesting

@testable import Scheduling

private struct Element: Schedulable, Timed {
  var priority: UInt8 = 0
  var nextReady: Reference<Element>?
  var previousReady: Reference<Element>?
  var isReady = false
  var deadline: UInt64 = 0
  var heapChild: Reference<Element>?
  var heapNext: Reference<Element>?
  var heapPrevious: Reference<Element>?
}

@Suite struct QueueTests {
  enum Operation {
    case insert(Int, UInt64, Bool)
    case remove(Int)
    case next(UInt64)
  }

  private func operation(_ random: inout Traces.Random) -> Operation {
    let element = Int.random(in: 0..<12, using: &random)
    return switch Int.random(in: 0..<4, using: &random) {
    case 0, 1: .insert(element, [0, 1, 63, 64, 127].randomElement(using: &random)!, Bool.random(using: &random))
    case 2: .remove(element)
    default: .next(UInt64.random(in: 0...130, using: &random))
    }
  }

  private func elements() -> [Reference<Element>] {
    (0..<12).map { _ in
      let pointer = UnsafeMutablePointer<Element>.allocate(capacity: 1)
      unsafe pointer.initialize(to: Element())
      return unsafe Reference(pointer)
    }
  }

  @Test func readyOnesAreThoseOfALists() {
    let fault = Traces.fault(operation) { trace in
      let elements = elements()
      defer { for element in elements { unsafe element.pointer.deallocate() } }
      var queue = ReadyQueue<Element>()
      var model = [[Int]](repeating: [], count: 128)
      for operation in trace {
        switch operation {
        case .insert(let index, let priority, let first):
          guard !model.contains(where: { $0.contains(index) }) else { continue }
          elements[index].object.priority = UInt8(priority)
          queue.insert(elements[index], first: first)
          model[Int(priority)].insert(index, at: first ? 0 : model[Int(priority)].count)
        case .remove(let index):
          queue.remove(elements[index])
          for priority in model.indices { model[priority].removeAll { $0 == index } }
        case .next:
          let top = model.lastIndex { !$0.isEmpty }
          let wanted = top.map { model[$0].removeFirst() }
          if queue.next() != wanted.map({ elements[$0] }) { return "another one is next" }
        }
        if queue.top != model.lastIndex(where: { !$0.isEmpty }) ?? -1 { return "another priority is on top" }
      }
      return nil
    }
    #expect(fault == nil)
  }

  @Test func timeoutsComeInOrder() {
    let fault = Traces.fault(operation) { trace in
      let elements = elements()
      defer { for element in elements { unsafe element.pointer.deallocate() } }
      var queue = TimeoutQueue<Element>()
      var model: [Int: UInt64] = [:]
      for operation in trace {
        switch operation {
        case .insert(let index, let deadline, _):
          queue.insert(elements[index], at: deadline)
          model[index] = max(deadline, 1)
        case .remove(let index):
          queue.remove(elements[index])
          model[index] = nil
        case .next(let now):
          let first = model.values.min()
          guard let element = queue.expired(now) else {
            if let first, first <= now { return "nobody, where \(first) was over at \(now)" }
            continue
          }
          let index = elements.firstIndex(of: element)!
          if model[index] != first || first! > now { return "not the first" }
          if element.object.deadline != 0 { return "it still waits" }
          model[index] = nil
        }
        if queue.first?.object.deadline != model.values.min() { return "another one is first" }
      }
      return nil
    }
    #expect(fault == nil)
  }

  @Test func budgets() {
    var budget = Budget(quantum: 10)
    let first = budget.spend(4)
    #expect(!first && budget.left == 6)
    let second = budget.spend(6)
    #expect(second && budget.left == 10)
    let third = budget.spend(100)
    #expect(third && budget.used == 110)
    budget.yield()
    #expect(budget.left == 10)
  }
}
