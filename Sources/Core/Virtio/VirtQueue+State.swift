import State

/// A queue in a machine's state (docs/state-format.md).
extension VirtQueue {
  private enum Field {
    static let size: UInt16 = 1
    static let isReady: UInt16 = 2
    static let descriptorTable: UInt16 = 3
    static let availableRing: UInt16 = 4
    static let usedRing: UInt16 = 5
    static let isLive: UInt16 = 6
    static let nextAvailable: UInt16 = 7
    static let nextUsed: UInt16 = 8
    static let signalledUsed: UInt16 = 9
  }

  /// Nobody works on the queue.
  func save() -> FieldWriter {
    var fields = FieldWriter()
    fields.put(Field.size, size)
    fields.put(Field.isReady, isReady)
    fields.put(Field.descriptorTable, layout.descriptorTable)
    fields.put(Field.availableRing, layout.availableRing)
    fields.put(Field.usedRing, layout.usedRing)
    let position = position
    fields.put(Field.isLive, position != nil)
    if let position {
      fields.put(Field.nextAvailable, position.nextAvailable)
      fields.put(Field.nextUsed, position.nextUsed)
      fields.put(Field.signalledUsed, position.signalledUsed)
    }
    return fields
  }

  /// Makes the queue what it was. The chains that the device held are to be walked again (`walkAgain`) before `isWhole`.
  ///
  /// - Parameter make: makes a live one's ring from its registers.
  func restore(from fields: inout FieldReader, _ make: () throws(QueueFault) -> Void) throws(StateError) {
    reset()
    size = try fields.number(Field.size)
    isReady = try fields.flag(Field.isReady)
    layout.descriptorTable = try fields.number(Field.descriptorTable)
    layout.availableRing = try fields.number(Field.availableRing)
    layout.usedRing = try fields.number(Field.usedRing)
    guard try fields.flag(Field.isLive) else { return }
    var position = SplitQueue.Position()
    position.nextAvailable = try fields.number(Field.nextAvailable)
    position.nextUsed = try fields.number(Field.nextUsed)
    position.signalledUsed = try fields.number(Field.signalledUsed)
    guard isReady, (try? make()) != nil, go(to: position) else { throw fields.fault(Field.isLive) }
  }
}
