/// What a guest says of its own end.
package enum GuestPanic: Equatable, Sendable {
  /// The kernel panicked and stops here.
  case panicked
  /// The kernel panicked and goes on into its crash kernel.
  case crashLoaded
}

package protocol PanicHandler: AnyObject {
  func guestPanicked(_ panic: GuestPanic)
}

/// The one-byte register by which a guest's kernel reports its panic: pvpanic (QEMU's docs/specs/pvpanic).
package final class PanicDevice: BusDevice {
  private static let panicked: UInt64 = 1 << 0
  private static let crashLoaded: UInt64 = 1 << 1

  private let handler: any PanicHandler

  package init(handler: any PanicHandler) { self.handler = handler }

  /// The events that are understood.
  package func read(offset: UInt64, width: Int) -> UInt64 {
    offset == 0 ? Self.panicked | Self.crashLoaded : 0
  }

  package func write(_ value: UInt64, offset: UInt64, width: Int) {
    guard offset == 0 else { return }
    if value & Self.panicked != 0 { return handler.guestPanicked(.panicked) }
    if value & Self.crashLoaded != 0 { handler.guestPanicked(.crashLoaded) }
  }
}
