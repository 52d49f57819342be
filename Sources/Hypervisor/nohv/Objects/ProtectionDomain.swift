import CMachine
import Capabilities
import FramePool
import HypercallABI
import Paging

/// A PD: what some contexts have in common: memory, ports, objects, and a share of the kernel's memory.
struct ProtectionDomain {
  var references: UInt32 = 1
  var isDead = false
  var quota = Quota(pages: 0)
  /// Among those that are to be emptied.
  var nextDead: Reference<ProtectionDomain>?
  /// Which it got its quota from, and gives it back to.
  var parent: Reference<ProtectionDomain>?
  var memory: Space
  var ports: Space
  var objects: Space
  var slots: SlotTable
  var table: PageTable
  /// The physical address of nested page tables; 0 until a guest has memory.
  var guestTable: UInt64 = 0
  /// Goes up when guests are to forget what they remember of it.
  var guestGeneration: UInt64 = 0
  /// The bitmap of ports that may not be used, in two frames; 0 while there are none that may.
  var portBitmap: UInt64 = 0
  /// Those that have its tables.
  var processors: UInt64 = 0
}

extension Reference where Object == ProtectionDomain {
  func space(_ kind: CapabilityRange.Kind) -> Reference<Space>? {
    switch kind {
    case .memory: unsafe withUnsafeMutablePointer(to: &object.memory) { unsafe Reference<Space>($0) }
    case .ports: unsafe withUnsafeMutablePointer(to: &object.ports) { unsafe Reference<Space>($0) }
    case .objects: objectSpace
    case .none: nil
    }
  }

  var objectSpace: Reference<Space> {
    unsafe withUnsafeMutablePointer(to: &object.objects) { unsafe Reference<Space>($0) }
  }

  /// The capability at a selector, which may be none.
  @inline(__always) subscript(_ selector: UInt64) -> Capability {
    Capability(rawValue: object.slots[selector])
  }

  @inline(__always) func retain() { object.references &+= 1 }

  func release() {
    object.references &-= 1
    if object.references == 0 { Domains.free(self) }
  }
}

enum Domains {
  /// The kernel's own: what no program has yet, and all of the kernel's memory.
  nonisolated(unsafe) private static var kernelStorage: Reference<ProtectionDomain>?
  static var kernel: Reference<ProtectionDomain> { unsafe kernelStorage.unsafelyUnwrapped }

  /// Before anything belongs to anybody.
  static func openKernel() {
    let address = Memory.boot()
    let domain = Reference<ProtectionDomain>(address: address)
    fill(domain, slots: SlotTable(root: Memory.boot(), first: Memory.boot()), table: unsafe KernelTables.table)
    unsafe kernelStorage = domain
  }

  /// All frames that are left are its quota.
  static func closeKernel() { kernel.object.quota = unsafe Quota(pages: Memory.frames.available) }

  private static func fill(_ domain: Reference<ProtectionDomain>, slots: SlotTable, table: PageTable) {
    let owner = domain.address
    domain.object = ProtectionDomain(
      memory: Space(owner: owner, kind: UInt8(CapabilityRange.Kind.memory.rawValue)),
      ports: Space(owner: owner, kind: UInt8(CapabilityRange.Kind.ports.rawValue)),
      objects: Space(owner: owner, kind: UInt8(CapabilityRange.Kind.objects.rawValue)),
      slots: slots, table: table)
  }

  /// A new domain with `pages` of its parent's quota, which it uses some of at once; nil where there is not enough.
  static func make(parent: Reference<ProtectionDomain>, pages: UInt64) -> Reference<ProtectionDomain>? {
    guard let domain: Reference<ProtectionDomain> = unsafe Memory.object(&Memory.domains, of: parent) else {
      return nil
    }
    let frames = (Memory.frame(of: parent), Memory.frame(of: parent), Memory.frame(of: parent))
    guard let top = frames.0, let first = frames.1, let root = frames.2 else {
      if let frame = frames.0 { Memory.free(frame: frame, of: parent) }
      if let frame = frames.1 { Memory.free(frame: frame, of: parent) }
      unsafe Memory.free(domain, &Memory.domains, of: parent)
      return nil
    }
    fill(domain, slots: SlotTable(root: top, first: first), table: PageTable(root: root &- Physical.base))
    var quota = Quota(pages: 0)
    // What the kernel's share of its page tables costs is its parent's, too.
    var tables = TableFrames(domain: parent)
    guard KernelTables.share(with: domain.object.table, &tables), parent.object.quota.transfer(pages: pages, to: &quota)
    else {
      discard(domain, parent)
      return nil
    }
    domain.object.quota = quota
    domain.object.parent = parent
    parent.retain()
    return domain
  }

  private static func discard(_ domain: Reference<ProtectionDomain>, _ parent: Reference<ProtectionDomain>) {
    let table = domain.object.table
    let upper = table.top(255, window: Physical.base)
    if upper != 0 { Memory.free(frame: upper & 0x000f_ffff_ffff_f000 &+ Physical.base, of: parent) }
    Memory.free(frame: table.root &+ Physical.base, of: parent)
    Memory.free(frame: domain.object.slots.root, of: parent)
    Memory.free(frame: domain.object.slots.first, of: parent)
    unsafe Memory.free(domain, &Memory.domains, of: parent)
  }

  /// Its capability is gone: takes all that it has, its threads before what they run on. False where there is more to do.
  static func empty(_ domain: Reference<ProtectionDomain>) -> Bool {
    domain.object.isDead = true
    var tables = Tables()
    for index in UInt64(1)...3 {
      guard let kind = CapabilityRange.Kind(rawValue: 4 &- index), let space = domain.space(kind) else { continue }
      while let mapping = MappingTree.any(space) {
        let (base, order) = (mapping.object.base, UInt64(mapping.object.order))
        guard MappingTree.revoke(space, base, order: order, rights: 0x1f, itself: true, &tables) else {
          tables.finish()
          return false
        }
      }
    }
    tables.finish()
    return true
  }

  /// Nobody refers to it any more.
  static func free(_ domain: Reference<ProtectionDomain>) {
    guard let parent = domain.object.parent else { return }
    if domain.object.portBitmap != 0 { Memory.free(frame: domain.object.portBitmap, order: 1, of: domain) }
    if domain.object.guestTable != 0 { Memory.free(frame: domain.object.guestTable &+ Physical.base, of: domain) }
    domain.object.quota.close(into: &parent.object.quota)
    discard(domain, parent)
    parent.release()
  }
}
