import CMachine
import Capabilities
import FramePool
import HypercallABI
import Paging

/// Enters mappings where processors, and lookups of selectors, find them.
struct Tables: MappingTables {
  /// Whose changes processors may not know of yet.
  private var changed: Reference<ProtectionDomain>?

  private func domain(_ space: Reference<Space>) -> Reference<ProtectionDomain> {
    Reference(address: space.object.owner)
  }

  private func kind(_ space: Reference<Space>) -> CapabilityRange.Kind {
    CapabilityRange.Kind(rawValue: UInt64(space.object.kind)) ?? .none
  }

  /// Everything that goes on behind this sees what was taken as gone.
  mutating func finish() {
    if let changed { Shootdown.flush(changed) }
    changed = nil
    Reclamation.finish()
  }

  private mutating func change(_ domain: Reference<ProtectionDomain>) {
    if let changed, changed != domain { Shootdown.flush(changed) }
    changed = domain
  }

  mutating func allocate(_ space: Reference<Space>) -> Reference<Mapping>? {
    unsafe Memory.object(&Memory.mappings, of: domain(space))
  }

  mutating func free(_ mapping: Reference<Mapping>) {
    unsafe Memory.free(mapping, &Memory.mappings, of: domain(mapping.object.space))
  }

  private func attributes(_ mapping: Reference<Mapping>) -> PageTable.Attributes {
    var attributes: PageTable.Attributes = []
    let rights = mapping.object.rights
    guard rights & 7 != 0 else { return attributes }
    attributes = [.readable, .user]
    if rights & 2 != 0 { attributes.insert(.writable) }
    if rights & 4 != 0 { attributes.insert(.executable) }
    if mapping.object.attributes & 4 != 0 { attributes.insert(.writeCombining) }
    return attributes
  }

  mutating func enter(_ mapping: Reference<Mapping>) -> Bool {
    let space = mapping.object.space
    let domain = domain(space)
    switch kind(space) {
    case .memory: return domain == Domains.kernel || enterMemory(mapping, domain)
    case .ports: return domain == Domains.kernel || Ports.allow(mapping, domain)
    case .objects:
      let capability = Capability(rawValue: mapping.object.source).with(rights: mapping.object.rights)
      return domain.object.slots.insert(
        capability, at: mapping.object.base, { Memory.frame(of: domain) }, { Memory.free(frame: $0, of: domain) })
    case .none: return false
    }
  }

  private mutating func enterMemory(_ mapping: Reference<Mapping>, _ domain: Reference<ProtectionDomain>) -> Bool {
    var frames = TableFrames(domain: domain)
    let count = mapping.object.count
    let (virtual, physical) = (mapping.object.base << 12, mapping.object.source << 12)
    // A guest's memory may lie where no program's can.
    let isUser = mapping.object.end <= Root.userEnd >> 12
    let isGuest = mapping.object.attributes & 2 != 0
    guard isUser || isGuest, mapping.object.end <= 1 << 36 else { return false }
    do throws(PageTable.Failure) {
      if isUser {
        try domain.object.table.map(
          virtual, to: physical, frames: count, attributes(mapping), hugePages: unsafe Features.hugePages, &frames)
      }
      guard isGuest else { return true }
      if domain.object.guestTable == 0 {
        guard let root = frames.allocate() else { throw .noFrames }
        domain.object.guestTable = root
      }
      try PageTable(root: domain.object.guestTable).map(
        virtual, to: physical, frames: count, attributes(mapping), hugePages: unsafe Features.hugePages, &frames)
      return true
    } catch {
      // The first of the two may have been done.
      if isUser, isGuest, error == .noFrames { domain.object.table.change(virtual, frames: count, [], &frames) }
      change(domain)
      return false
    }
  }

  mutating func restrict(_ mapping: Reference<Mapping>) {
    let space = mapping.object.space
    let domain = domain(space)
    guard domain != Domains.kernel else { return }
    switch kind(space) {
    case .memory:
      var frames = TableFrames(domain: domain)
      let (virtual, count) = (mapping.object.base << 12, mapping.object.count)
      if mapping.object.end <= Root.userEnd >> 12 {
        domain.object.table.change(virtual, frames: count, attributes(mapping), &frames)
      }
      if mapping.object.attributes & 2 != 0, domain.object.guestTable != 0 {
        PageTable(root: domain.object.guestTable).change(virtual, frames: count, attributes(mapping), &frames)
      }
      change(domain)
    case .ports:
      if mapping.object.rights == 0 { Ports.deny(mapping, domain) }
      change(domain)
    case .objects:
      if mapping.object.rights == 0 {
        domain.object.slots.remove(at: mapping.object.base) { Memory.free(frame: $0, of: domain) }
      } else {
        domain.object.slots.replace(
          Capability(rawValue: mapping.object.source).with(rights: mapping.object.rights), at: mapping.object.base)
      }
    case .none: break
    }
  }

  mutating func retire(_ mapping: Reference<Mapping>) {
    let capability = Capability(rawValue: mapping.object.source)
    let isObject = kind(mapping.object.space) == .objects
    free(mapping)
    guard isObject else { return }
    switch capability.kind {
    case .protectionDomain: Graveyard.bury(capability.object())
    case .executionContext: Contexts.retire(capability.object())
    case .schedulingContext: SchedulingContexts.retire(capability.object())
    case .portal: capability.object(Portal.self).release()
    case .semaphore: Semaphores.retire(capability.object())
    case nil: break
    }
  }
}
