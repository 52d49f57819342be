/// How a kernel is entered.
package enum BootProtocol: Equatable, CaseIterable {
  /// Linux, in 64-bit mode.
  case linux64
  /// PVH, in 32-bit protected mode.
  case pvh
  /// Linux, in 32-bit protected mode.
  case linux32
}
