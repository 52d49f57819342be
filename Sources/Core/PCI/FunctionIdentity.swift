/// What a function is (PCI Local Bus 3.0, 6.2.1 and 6.2.4).
package struct FunctionIdentity {
  package var vendor: UInt16
  package var device: UInt16
  package var revision: UInt8
  /// Base class, subclass and interface, 24 bits (appendix D).
  package var classCode: UInt32
  package var subsystemVendor: UInt16
  package var subsystem: UInt16

  package init(
    vendor: UInt16, device: UInt16, revision: UInt8, classCode: UInt32, subsystemVendor: UInt16, subsystem: UInt16
  ) {
    self.vendor = vendor
    self.device = device
    self.revision = revision
    self.classCode = classCode
    self.subsystemVendor = subsystemVendor
    self.subsystem = subsystem
  }
}
