/// What a program asks of the kernel by SYSCALL. RDI holds `selector << 8 | flags << 4 | number`; RSI, RDX, RAX and R8 the
/// arguments. RDI answers with a `Status`; RCX, R11 and the flags are lost.
package enum Hypercall: UInt8 {
  case call = 0x0
  case reply = 0x1
  case createProtectionDomain = 0x2
  case createExecutionContext = 0x3
  case createSchedulingContext = 0x4
  case createPortal = 0x5
  case createSemaphore = 0x6
  case revoke = 0x7
  case misc = 0x8
  case controlExecutionContext = 0x9
  case controlSchedulingContext = 0xa
  case controlPortal = 0xb
  case controlSemaphore = 0xc
  case assignPCI = 0xd
  case assignInterrupt = 0xe
  case controlProtectionDomain = 0xf

  /// The ABI's version, as the information page tells it.
  package static let version: UInt32 = 10
}

/// How a hypercall ended.
package enum Status: UInt64 {
  case success = 0
  case timeout = 1
  case aborted = 2
  case badHypercall = 3
  case badCapability = 4
  case badParameter = 5
  case badFeature = 6
  case badProcessor = 7
  case badDevice = 8
  case outOfQuota = 9
}

/// What may be done by a capability, in its five bits of rights.
package enum Right {
  package static let controlContext: UInt64 = 1 << 0
  package static let bindSchedulingContext: UInt64 = 1 << 2
  package static let bindPortal: UInt64 = 1 << 3
  package static let controlSchedulingContext: UInt64 = 1 << 0
  package static let controlPortal: UInt64 = 1 << 0
  package static let call: UInt64 = 1 << 1
  package static let crossProcessors: UInt64 = 1 << 4
  package static let up: UInt64 = 1 << 0
  package static let down: UInt64 = 1 << 1
  /// Of a protection domain: to make objects of a kind in it.
  package static func create(_ kind: ObjectKind) -> UInt64 { 1 << (UInt64(kind.rawValue) &- 1) }
  package static let all: UInt64 = 0x1f
}

/// The kinds of objects.
package enum ObjectKind: UInt8 {
  case protectionDomain = 1
  case executionContext = 2
  case schedulingContext = 3
  case portal = 4
  case semaphore = 5
}

/// Numbers of events: a context's portal for one is at its event base plus this.
package enum Event {
  package static let startup: UInt64 = 30
  package static let recall: UInt64 = 31
  /// vCPUs, beside exit codes below 251.
  package static let otherExit: UInt64 = 251
  package static let nestedPageFault: UInt64 = 252
  package static let invalidState: UInt64 = 253
  package static let guestStartup: UInt64 = 254
  package static let guestRecall: UInt64 = 255
}

/// Selectors that the root task finds objects at, and where its pages are.
package enum Root {
  package static let protectionDomain: UInt64 = 32
  package static let executionContext: UInt64 = 33
  package static let schedulingContext: UInt64 = 34
  package static let suspendSemaphore: UInt64 = 35
  package static let registerSemaphore: UInt64 = 36
  package static let priority: UInt64 = 1
  /// Microseconds.
  package static let budget: UInt64 = 10_000
  /// The information page.
  package static let information: UInt64 = 0x7fff_bfff_f000
  package static let messageBlock: UInt64 = 0x7fff_bfff_e000
  /// The first address that no program has.
  package static let userEnd: UInt64 = 0x7fff_c000_0000
  /// Interrupts' semaphores in the kernel's own space: GSI n at this plus n; idle scheduling contexts at CPU numbers.
  package static let interrupts: UInt64 = 64
}
