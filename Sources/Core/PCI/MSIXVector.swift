import Synchronization

/// An entry of the table of messages, and whether it waits to be sent (PCI Local Bus 3.0, 6.8.2.6 to 6.8.2.9).
final class MSIXVector {
  /// A field of the entry.
  final class Field {
    let value: Atomic<UInt32>

    init(_ value: UInt32) { self.value = Atomic(value) }
  }

  /// Which field holds the mask; before it are the address's two halves and the data.
  static let control = 3
  /// The only bit of the control field.
  static let masked: UInt32 = 1

  /// In their order in the table. A vector is masked until software has written its message.
  let fields = [Field(0), Field(0), Field(0), Field(masked)]
  let isPending = Atomic<Bool>(false)

  var isMasked: Bool { fields[Self.control].value.load(ordering: .sequentiallyConsistent) & Self.masked != 0 }

  /// Software changes it only while it is masked; one that does otherwise has mixed it itself.
  var message: InterruptMessage {
    InterruptMessage(
      address: UInt64(fields[1].value.load(ordering: .acquiring)) << 32
        | UInt64(fields[0].value.load(ordering: .acquiring)),
      data: fields[2].value.load(ordering: .acquiring))
  }
}
