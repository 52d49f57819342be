/// The HIP, byte offsets: what the kernel tells the root task of itself and the machine.
package enum InformationPage {
  package static let signature: UInt32 = 0x4156_4f4e
  package static let checksum = 4
  package static let length = 6
  package static let processorOffset = 8
  package static let processorSize = 10
  package static let memoryOffset = 12
  package static let memorySize = 14
  package static let features = 16
  package static let version = 20
  package static let selectors = 24
  package static let exceptionSelectors = 28
  package static let guestSelectors = 32
  package static let interrupts = 36
  package static let pageSizes = 40
  package static let messageBlockSizes = 44
  /// kHz.
  package static let frequency = 48

  package static let firstProcessor = 56
  package static let processorBytes = 12
  package static let firstMemory = 824
  package static let memoryBytes = 24
  package static let processorLimit = 64
  package static let memoryLimit = (4096 - firstMemory) / memoryBytes

  package static let selectorLimit: UInt64 = 1 << 26

  package enum Feature {
    package static let iommu: UInt32 = 1 << 0
    package static let vmx: UInt32 = 1 << 1
    package static let svm: UInt32 = 1 << 2
  }

  /// Types of memory beside firmware's.
  package enum Memory {
    package static let kernel: Int32 = -1
    package static let module: Int32 = -2
    package static let oldTables: Int32 = -3
    package static let tables: Int32 = -4
    package static let framebuffer: Int32 = -5
    package static let log: Int32 = -6
    package static let efi: Int32 = -7
  }
}
