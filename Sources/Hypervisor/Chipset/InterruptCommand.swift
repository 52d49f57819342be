/// An interrupt on its way to local APICs: what one of them was told to send, or a message of the I/O APIC's.
package struct InterruptCommand: Equatable {
  package enum Mode: UInt64, Equatable {
    case fixed = 0
    /// To one of those that it reaches.
    case lowestPriority = 1
    case nonMaskable = 4
    case initialize = 5
    case startup = 6
  }

  package enum Destination: Equatable {
    case itself
    case all
    case others
    case physical(UInt32)
    /// A cluster in bits 31:16, members of it in the others (Intel SDM 3, 11.12.10.2).
    case logical(UInt32)
  }

  package var vector: UInt8
  package var mode: Mode
  package var destination: Destination

  package init(vector: UInt8, mode: Mode, destination: Destination) {
    self.vector = vector
    self.mode = mode
    self.destination = destination
  }

  /// As written to the command register in x2APIC mode (Intel SDM 3, 11.12.9); nil for modes that there are not.
  package init?(command: UInt64) {
    guard let mode = Mode(rawValue: command >> 8 & 7) else { return nil }
    let target = UInt32(command >> 32)
    let destination: Destination =
      switch command >> 18 & 3 {
      case 1: .itself
      case 2: .all
      case 3: .others
      default:
        target == .max ? .all : command & 1 << 11 == 0 ? .physical(target) : .logical(target)
      }
    // An INIT that only sets arbitration back (level 0, by level) is for processors older than any here.
    if mode == .initialize, command & 0xc000 == 0x8000 { return nil }
    self.init(vector: UInt8(truncatingIfNeeded: command), mode: mode, destination: destination)
  }

  /// As a redirection entry has it (Intel 82093AA, 3.2.4): its eight bits of destination name a local APIC, or members of
  /// the first cluster.
  package init?(redirection entry: UInt64) {
    guard let mode = Mode(rawValue: entry >> 8 & 7), mode.rawValue < 2 else { return nil }
    let target = UInt32(entry >> 56)
    let destination: Destination =
      entry & 1 << 11 != 0 ? .logical(target) : target == 0xff ? .all : .physical(target)
    self.init(vector: UInt8(truncatingIfNeeded: entry), mode: mode, destination: destination)
  }

  /// Whether the local APIC of this id is one of those that are meant.
  package func reaches(_ id: UInt32, from sender: UInt32?) -> Bool {
    switch destination {
    case .itself: id == sender
    case .all: true
    case .others: id != sender
    case .physical(let target): id == target
    case .logical(let target): target >> 16 == id >> 4 && target & 1 << (id & 15) != 0
    }
  }
}
