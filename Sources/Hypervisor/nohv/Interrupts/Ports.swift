import CMachine
import Capabilities
import FramePool

/// I/O ports of domains, by the bitmap that a processor's task state has (Intel SDM 1, 19.5.2).
///
/// A domain's bitmap is copied there when one of its contexts first uses a port and faults; switching to another domain hides
/// it. So those without ports, which are most, pay a comparison.
enum Ports {
  private static let bytes: UInt64 = 8192

  /// Answers a fault: whether the bitmap was not there, and now is.
  static func load(_ domain: Reference<ProtectionDomain>) -> Bool {
    guard domain.object.portBitmap != 0, unsafe m_processor().pointee.ports == 0 else { return false }
    let block = unsafe m_processor()
    let bitmap = unsafe m_bitmap(block)
    unsafe m_copy_words(bitmap, UnsafeRawPointer(bitPattern: UInt(domain.object.portBitmap)), bytes / 8)
    // The byte behind the last is read with it.
    unsafe m_fill_bytes(bitmap + Int(bytes), 0xff, 8)
    unsafe block.pointee.ports = 1
    unsafe m_set_ports(block, 104)
    return true
  }

  static func allow(_ mapping: Reference<Mapping>, _ domain: Reference<ProtectionDomain>) -> Bool {
    guard mapping.object.end <= 1 << 16 else { return false }
    if domain.object.portBitmap == 0 {
      guard let frames = Memory.frame(order: 1, of: domain) else { return false }
      unsafe m_fill_bytes(UnsafeMutableRawPointer(bitPattern: UInt(frames)), 0xff, bytes)
      domain.object.portBitmap = frames
    }
    set(mapping, domain, allowed: true)
    Shootdown.flush(domain)
    return true
  }

  static func deny(_ mapping: Reference<Mapping>, _ domain: Reference<ProtectionDomain>) {
    set(mapping, domain, allowed: false)
  }

  private static func set(_ mapping: Reference<Mapping>, _ domain: Reference<ProtectionDomain>, allowed: Bool) {
    guard domain.object.portBitmap != 0 else { return }
    let bitmap = unsafe UnsafeMutablePointer<UInt8>(bitPattern: UInt(domain.object.portBitmap)).unsafelyUnwrapped
    var port = Int(mapping.object.base)
    let end = Int(mapping.object.end)
    while port < end {
      if port & 7 == 0, end &- port >= 8 {
        unsafe bitmap[port >> 3] = allowed ? 0 : 0xff
        port &+= 8
      } else {
        let bit = UInt8(1) &<< UInt8(port & 7)
        unsafe bitmap[port >> 3] = allowed ? bitmap[port >> 3] & ~bit : bitmap[port >> 3] | bit
        port &+= 1
      }
    }
  }
}
