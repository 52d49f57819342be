import CKVM
import LittleEndian
import State

/// What all vCPUs of a machine share in the kernel: interrupt controllers and the clock.
package struct ChipState {
  package static let tag = StateTag("chip")

  /// Inputs of the I/O APIC.
  private static let inputs = Int(KVM_IOAPIC_NUM_PINS)
  private static let controllerSize = 16

  /// The registers of the I/O APIC: selector, id, requests; then the table of redirections.
  var ioapic = [UInt64](repeating: 0, count: 3 + inputs)
  /// Of both 8259, which nothing is wired to, but which look at the same inputs: in the order of `struct kvm_pic_state`.
  var controllers = [[UInt8]](repeating: [UInt8](repeating: 0, count: controllerSize), count: 2)
  /// kvmclock, in nanoseconds.
  var clock: UInt64 = 0

  init() {}

  private enum Field {
    static let ioapic: UInt16 = 1
    static let controllers: UInt16 = 2
    static let clock: UInt16 = 3
  }

  package func save() -> FieldWriter {
    var fields = FieldWriter()
    fields.put(Field.ioapic, words: ioapic)
    fields.put(Field.controllers, controllers.flatMap { $0 })
    fields.put(Field.clock, clock)
    return fields
  }

  package init(from fields: inout FieldReader) throws(StateError) {
    ioapic = try fields.words(Field.ioapic, count: 3 + Self.inputs)
    guard ioapic[..<3].allSatisfy({ $0 <= UInt64(UInt32.max) }) else { throw fields.fault(Field.ioapic) }
    let bytes = try fields.bytes(Field.controllers, limit: 2 * Self.controllerSize)
    guard bytes.count == 2 * Self.controllerSize else { throw fields.fault(Field.controllers) }
    controllers = [Array(bytes[..<Self.controllerSize]), Array(bytes[Self.controllerSize...])]
    clock = try fields.number(Field.clock)
  }
}
