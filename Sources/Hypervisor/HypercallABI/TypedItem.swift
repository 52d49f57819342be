/// A typed item: what a sender gives, and how.
package struct TypedItem: Equatable {
  package var range: CapabilityRange
  package var word: UInt64

  package init(_ range: CapabilityRange, word: UInt64) {
    self.range = range
    self.word = word
  }

  package enum Action: UInt64 {
    case translate = 0
    case delegate = 1
    case translateOrDelegate = 2
  }

  package var action: Action? { Action(rawValue: word & 3) }
  package var hotspot: UInt64 { word >> 12 }
  package var forDMA: Bool { word & 1 << 8 != 0 }
  package var forGuest: Bool { word & 1 << 9 != 0 }
  package var writeCombining: Bool { word & 1 << 10 != 0 }
  package var fromKernel: Bool { word & 1 << 11 != 0 }
}
