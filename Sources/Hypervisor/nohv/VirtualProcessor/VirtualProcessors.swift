import CMachine
import FramePool
import HypercallABI

struct VirtualProcessor {
  var state: UInt64
}

enum VirtualProcessors {
  static func open() {}
  static func make(_ context: Reference<Context>) -> Bool { false }
  static func free(_ machine: Reference<VirtualProcessor>, of domain: Reference<ProtectionDomain>) {}
  static func enter(_ context: Reference<Context>) -> Bool { false }
  static func load(_ message: MessageBlock, from context: Reference<Context>, _ descriptor: MessageDescriptor) {}
  static func store(_ message: MessageBlock, to context: Reference<Context>, _ descriptor: MessageDescriptor) {}
}

@c(kernel_exit) func kernelExit(_ frame: UnsafeMutablePointer<m_registers>) -> UInt64 {
  Lock.acquire()
  return leave()
}
