import FramePool

/// Domains whose capability is gone and that are not empty yet. Whoever revoked it empties them, in steps, before its hypercall
/// ends.
enum Graveyard {
  nonisolated(unsafe) private static var first: Reference<ProtectionDomain>?

  static func bury(_ domain: Reference<ProtectionDomain>) {
    domain.object.isDead = true
    domain.object.nextDead = unsafe first
    unsafe first = domain
  }

  /// One step. Returns whether nothing is left.
  static func step() -> Bool {
    guard let domain = unsafe first else { return true }
    // Emptying it may bury others, before it.
    guard Domains.empty(domain), unsafe first == domain else { return false }
    unsafe first = domain.object.nextDead
    domain.release()
    return unsafe first == nil
  }
}
