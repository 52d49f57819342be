import CHypercall
import HypercallABI
import UserRuntime

/// A virtio device behind PCI (Virtio 1.2, 4.1), with one queue, which this program has of the one that hands out functions.
struct VirtioFunction {
  /// Where its memories are: the nth at n MiB.
  private static let memory: UInt64 = 0x50_0000_0000
  private let address: UInt64
  /// Of its registers, in this program's memory.
  private var common: UInt64 = 0
  private var notify: UInt64 = 0
  private(set) var configuration: UInt64 = 0
  private var messages: UInt64 = 0

  private enum Register {
    static let driverFeatureSelect: UInt64 = 8
    static let driverFeature: UInt64 = 12
    static let status: UInt64 = 20
    static let queueSelect: UInt64 = 22
    static let queueSize: UInt64 = 24
    static let queueVector: UInt64 = 26
    static let queueEnable: UInt64 = 28
    static let queueNotify: UInt64 = 30
    static let queueAddresses: UInt64 = 32
  }

  /// One of that identity; nil where there is none, or it is no virtio device of today.
  init?(_ identity: UInt64, _ block: MessageBlock) {
    let window = CapabilityRange(.memory, base: Self.memory >> 12, order: 11)
    guard Service.call(0, FunctionOperation.claim, identity, window: window, by: block) == 0,
      block.word(0) == Service.done
    else { return nil }
    address = block.word(1)
    var sizes: [UInt64] = []
    for index in 0..<6 { sizes.append(block.word(2 + index)) }
    var multiplier: UInt64 = 0
    /// From where its notifications begin, to the end of that memory.
    var room: UInt64 = 0
    var place = read(0x34, block) & 0xfc
    for _ in 0..<48 where place >= 0x40 {
      let header = read(place, block)
      let isMessages = header & 0xff == 0x11
      let word = isMessages ? read(place + 4, block) : read(place + 8, block)
      let index = Int(isMessages ? word & 7 : read(place + 4, block) & 0xff)
      let offset = isMessages ? word & ~7 : word
      if isMessages || header & 0xff == 9, index < 6, offset + 64 <= sizes[index] {
        let register = Self.memory + UInt64(index) << 20 + offset
        if isMessages {
          messages = register
        } else {
          switch header >> 24 {
          case 1: common = register
          case 2:
            notify = register
            room = sizes[index] - offset
            multiplier = read(place + 16, block)
          case 4: configuration = register
          default: break
          }
        }
      }
      place = header >> 8 & 0xfc
    }
    guard common != 0, notify != 0, configuration != 0, messages != 0,
      Service.call(0, FunctionOperation.enable, address, by: block) == 0, block.word(0) == Service.done
    else { return nil }
    h_write16(common + Register.queueSelect, 0)
    let distance = UInt64(h_read16(common + Register.queueNotify)) * multiplier
    // Within what was given.
    guard distance < 1 << 12, distance + 2 <= room else { return nil }
    notify += distance
  }

  private func read(_ offset: UInt64, _ block: MessageBlock) -> UInt64 {
    guard Service.call(0, FunctionOperation.read, address, offset, by: block) == 0, block.word(0) == Service.done else {
      return 0
    }
    return block.word(1)
  }

  /// Starts it with no features but that of its version, and a queue of so many entries at these physical addresses, whose
  /// interrupt is this message. False where it will not have that.
  func start(entries: UInt16, table: UInt64, available: UInt64, used: UInt64, message: (address: UInt64, data: UInt64))
    -> Bool
  {
    h_write8(common + Register.status, 0)
    var waits = 0
    while h_read8(common + Register.status) != 0 {
      waits += 1
      guard waits < 1 << 20 else { return false }
    }
    h_write8(common + Register.status, 3)
    h_write32(common + Register.driverFeatureSelect, 0)
    h_write32(common + Register.driverFeature, 0)
    h_write32(common + Register.driverFeatureSelect, 1)
    h_write32(common + Register.driverFeature, 1)
    h_write8(common + Register.status, 0xb)
    guard h_read8(common + Register.status) & 8 != 0 else { return false }
    h_write32(messages, UInt32(truncatingIfNeeded: message.address))
    h_write32(messages + 4, UInt32(truncatingIfNeeded: message.address >> 32))
    h_write32(messages + 8, UInt32(truncatingIfNeeded: message.data))
    h_write32(messages + 12, 0)
    h_write16(common + Register.queueSelect, 0)
    guard h_read16(common + Register.queueSize) >= entries else { return false }
    h_write16(common + Register.queueSize, entries)
    h_write16(common + Register.queueVector, 0)
    guard h_read16(common + Register.queueVector) == 0 else { return false }
    for (index, address) in [table, available, used].enumerated() {
      let register = common + Register.queueAddresses + UInt64(index) * 8
      h_write32(register, UInt32(truncatingIfNeeded: address))
      h_write32(register + 4, UInt32(truncatingIfNeeded: address >> 32))
    }
    h_write16(common + Register.queueEnable, 1)
    h_write8(common + Register.status, 0xf)
    return true
  }

  func ring() { h_write16(notify, 0) }
}
