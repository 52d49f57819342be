/// The guest's first words, once it can take commands.
///
///     u16 version, string kernel release
package struct Hello: Equatable, Sendable {
  /// ``Agent/version`` of the guest.
  package var version: UInt16
  /// The release that uname(2) reports.
  package var kernelRelease: [UInt8]

  package init(version: UInt16 = Agent.version, kernelRelease: [UInt8]) {
    self.version = version
    self.kernelRelease = kernelRelease
  }
}
