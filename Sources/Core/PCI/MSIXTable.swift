import LittleEndian
import Synchronization

/// The table of a function's messages, and the bits of those that wait (PCI Local Bus 3.0, 6.8.2).
///
/// Messages are signalled from any thread, while software changes the table from another.
package final class MSIXTable {
  /// Bytes of an entry.
  package static let entrySize = 16
  /// (6.8.2.1)
  package static let capabilityID: UInt8 = 0x11

  private let vectors: [MSIXVector]
  private let sink: any MessageSink
  private let control = Atomic<UInt16>(0)

  package init(count: Int, sink: any MessageSink) {
    vectors = (0..<count).map { _ in MSIXVector() }
    self.sink = sink
  }

  package var count: Int { vectors.count }

  /// Whether interrupts are messages at all.
  package var isEnabled: Bool { control.load(ordering: .sequentiallyConsistent) & Control.enable != 0 }

  /// The capability's body behind its ID and link (6.8.2.3 to 6.8.2.5), and what of it software may write.
  ///
  /// - Parameters:
  ///   - table: where in which region the table lies, a multiple of 8.
  ///   - pending: likewise the bits of those that wait.
  package func capability(region: Int, table: UInt32, pending: UInt32) -> (body: [UInt8], writable: [UInt8]) {
    let body =
      littleEndian(UInt16(count - 1)) + littleEndian(table | UInt32(region)) + littleEndian(pending | UInt32(region))
    return (body, littleEndian(Control.enable | Control.maskAll))
  }

  /// Software has written the message control register, which now reads `value`.
  package func setControl(_ value: UInt16) {
    control.store(value & (Control.enable | Control.maskAll), ordering: .sequentiallyConsistent)
    for vector in vectors { deliver(vector) }
  }

  /// Sends the message of a vector, or notes that it is to be sent.
  package func signal(_ vector: Int) {
    guard vectors.indices.contains(vector), isEnabled else { return }
    // First pending, then a look at the mask; whoever unmasks does it the other way round. So one of the two sends it.
    vectors[vector].isPending.store(true, ordering: .sequentiallyConsistent)
    deliver(vectors[vector])
  }

  /// Forgets what waits.
  package func clearPending() {
    for vector in vectors { vector.isPending.store(false, ordering: .sequentiallyConsistent) }
  }

  /// Four bytes of the table at `offset`, a multiple of 4.
  package func word(at offset: UInt64) -> UInt32 {
    guard let (vector, field) = find(offset) else { return 0 }
    return vector.fields[field].value.load(ordering: .acquiring)
  }

  /// Software writes four bytes of the table at `offset`, a multiple of 4.
  package func setWord(_ value: UInt32, at offset: UInt64) {
    guard let (vector, field) = find(offset) else { return }
    guard field == MSIXVector.control else {
      return vector.fields[field].value.store(value, ordering: .releasing)
    }
    vector.fields[field].value.store(value & MSIXVector.masked, ordering: .sequentiallyConsistent)
    deliver(vector)
  }

  /// Four bytes of the pending bits at `offset`, a multiple of 4.
  package func pendingWord(at offset: UInt64) -> UInt32 {
    var word: UInt32 = 0
    for bit in 0..<32 {
      let index = offset &* 8 &+ UInt64(bit)
      guard index < UInt64(count) else { break }
      if vectors[Int(index)].isPending.load(ordering: .sequentiallyConsistent) { word |= 1 << UInt32(bit) }
    }
    return word
  }

  /// The whole table, as it reads.
  package var contents: [UInt8] {
    var contents: [UInt8] = []
    for vector in vectors {
      for field in vector.fields { contents.append(field: field.value.load(ordering: .acquiring)) }
    }
    return contents
  }

  /// Whether the message of each vector waits to be sent.
  package var pending: [Bool] { vectors.map { $0.isPending.load(ordering: .sequentiallyConsistent) } }

  /// Makes the table what another one was, and sends nothing.
  ///
  /// - Parameter control: the message control register.
  /// - Returns: false, having done nothing, if that was no table of this size.
  package func restore(_ contents: [UInt8], pending: [Bool], control: UInt16) -> Bool {
    guard contents.count == count * Self.entrySize, pending.count == count else { return false }
    for (index, vector) in vectors.enumerated() {
      for (place, field) in vector.fields.enumerated() {
        let value: UInt32 = contents.field(at: index * Self.entrySize + 4 * place)
        field.value.store(place == MSIXVector.control ? value & MSIXVector.masked : value, ordering: .releasing)
      }
      vector.isPending.store(pending[index], ordering: .sequentiallyConsistent)
    }
    self.control.store(control & (Control.enable | Control.maskAll), ordering: .sequentiallyConsistent)
    return true
  }

  /// Sends what waits and may be sent.
  package func deliverPending() {
    for vector in vectors { deliver(vector) }
  }

  private func find(_ offset: UInt64) -> (MSIXVector, field: Int)? {
    let index = offset / UInt64(Self.entrySize)
    guard index < UInt64(count) else { return nil }
    return (vectors[Int(index)], Int(offset % UInt64(Self.entrySize)) / 4)
  }

  private func deliver(_ vector: MSIXVector) {
    guard control.load(ordering: .sequentiallyConsistent) & (Control.enable | Control.maskAll) == Control.enable,
      !vector.isMasked, vector.isPending.exchange(false, ordering: .sequentiallyConsistent)
    else { return }
    sink.send(vector.message)
  }

  /// Bits of the message control register (6.8.2.3).
  private enum Control {
    static let enable: UInt16 = 1 << 15
    static let maskAll: UInt16 = 1 << 14
  }
}
