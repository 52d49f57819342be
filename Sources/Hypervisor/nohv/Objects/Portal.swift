import FramePool
import HypercallABI

/// A PT: where a handler is entered.
struct Portal {
  var references: UInt32 = 1
  var context: Reference<Context>
  var domain: Reference<ProtectionDomain>
  let entry: UInt64
  var id: UInt64 = 0
  /// The state that an event's message carries.
  let descriptor: UInt64
}

extension Reference where Object == Portal {
  func release() {
    object.references &-= 1
    guard object.references == 0 else { return }
    let (context, domain) = (object.context, object.domain)
    unsafe Memory.free(self, &Memory.portals, of: domain)
    context.release()
    domain.release()
  }
}
