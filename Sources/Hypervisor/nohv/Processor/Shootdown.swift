import CMachine
import FramePool

/// Flushes of what processors remember of page tables that changed.
enum Shootdown {
  /// Ends when no processor that has the domain's tables remembers what was taken out of them.
  static func flush(_ domain: Reference<ProtectionDomain>) {
    domain.object.guestGeneration &+= 1
    var others = domain.object.processors
    let own = unsafe m_processor().pointee.number
    if others & 1 << UInt64(own) != 0 {
      m_set_cr3(m_cr3())
      forgetPorts()
      others &= ~(1 << UInt64(own))
    }
    guard others != 0 else { return }
    for number in 0..<Processors.limit where others & 1 << UInt64(number) != 0 {
      unsafe m_store32(&Processors.at(number).pointee.flush, 1)
      LocalAPIC.send(Vector.flush, to: unsafe Processors.at(number).pointee.apic)
    }
    for number in 0..<Processors.limit where others & 1 << UInt64(number) != 0 {
      while unsafe m_load32(&Processors.at(number).pointee.flush) != 0 { m_pause() }
    }
  }

  /// This processor's answer to such a request, which takes no lock.
  @inline(__always) static func answer() {
    guard unsafe m_load32(&m_processor().pointee.flush) != 0 else { return }
    m_set_cr3(m_cr3())
    forgetPorts()
    unsafe m_store32(&m_processor().pointee.flush, 0)
  }

  /// The bitmap of ports is copied anew when it is wanted.
  @inline(__always) static func forgetPorts() {
    unsafe m_processor().pointee.ports = 0
    unsafe m_set_ports(m_processor(), UInt32(MemoryLayout<m_tss>.size))
  }
}

/// Frames that no table has any more, until all processors have forgotten them.
enum Reclamation {
  private struct Frame { var next: Reference<Frame>? }
  nonisolated(unsafe) private static var frames: Reference<Frame>?

  static func frame(_ address: UInt64) {
    let frame = Reference<Frame>(address: address)
    frame.object.next = unsafe frames
    unsafe frames = frame
  }

  /// After a flush.
  static func finish() {
    while let frame = unsafe frames {
      unsafe frames = frame.object.next
      unsafe Memory.frames.free(frame.address)
    }
  }
}
