import Boot
import LittleEndian
import State

/// What a machine's description must have in common with a state that it begins with, besides its devices.
package struct MachineShape: Equatable {
  static let tag = StateTag("mach")

  /// Bytes of RAM.
  var memory: UInt64
  /// The ids of the processors' APICs, which say how they are arranged.
  var processors: [UInt32]
  var isOnBus: Bool
  var hasACPI: Bool

  /// Something in which two differ.
  package enum Difference: Equatable, Sendable {
    case memory(bytes: UInt64)
    case processors(Int)
    case transport
    case discovery
  }

  init(_ description: MachineDescription) {
    memory = description.memory
    processors = description.processors.apicIDs
    isOnBus = description.transport == .pci
    hasACPI = description.discovery == .acpi
  }

  private enum Field {
    static let memory: UInt16 = 1
    static let processors: UInt16 = 2
    static let isOnBus: UInt16 = 3
    static let hasACPI: UInt16 = 4
  }

  func save() -> FieldWriter {
    var fields = FieldWriter()
    fields.put(Field.memory, memory)
    fields.put(Field.processors, processors.flatMap { littleEndian($0) })
    fields.put(Field.isOnBus, isOnBus)
    fields.put(Field.hasACPI, hasACPI)
    return fields
  }

  init(from fields: inout FieldReader) throws(StateError) {
    memory = try fields.number(Field.memory)
    let bytes = try fields.bytes(Field.processors, limit: 4 * ProcessorTopology.mostProcessors)
    guard !bytes.isEmpty, bytes.count % 4 == 0 else { throw fields.fault(Field.processors) }
    processors = stride(from: 0, to: bytes.count, by: 4).map { bytes.field(at: $0) }
    isOnBus = try fields.flag(Field.isOnBus)
    hasACPI = try fields.flag(Field.hasACPI)
  }

  /// In what this one, of a state, is another than the machine's; nil if in nothing.
  func difference(from machine: MachineShape) -> Difference? {
    if memory != machine.memory { return .memory(bytes: memory) }
    if processors != machine.processors { return .processors(processors.count) }
    if isOnBus != machine.isOnBus { return .transport }
    if hasACPI != machine.hasACPI { return .discovery }
    return nil
  }
}
