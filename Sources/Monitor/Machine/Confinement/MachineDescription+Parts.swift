import Confinement
import FileSystem
import Host

extension MachineDescription {
  /// Starts the process that keeps the machine's sockets' names, where it has any and is to be confined.
  func startBroker() throws(MachineError) -> SocketBroker? {
    let names = [vsock, control].compactMap(\.self)
    guard confinement != .off, !names.isEmpty else { return nil }
    do throws(Errno) {
      return try SocketBroker(connectingBeneath: vsock, removing: names)
    } catch {
      throw .host("process for sockets", error)
    }
  }

  /// The same machine, the directories of its trees opened by mounts that lead nowhere else, where root may make such. What
  /// cannot be opened is told by whoever opens it.
  func detachingTrees() -> MachineDescription {
    guard ProcessPrivileges.isRoot else { return self }
    var description = self
    func detach(_ map: inout LayerMap, isReadOnly: Bool) {
      map.place = (try? DetachedTree(of: map.hostPath, isReadOnly: isReadOnly))?.keep()
    }
    for index in reads.indices { detach(&description.reads[index], isReadOnly: true) }
    for index in writes.indices { detach(&description.writes[index], isReadOnly: false) }
    for index in shares.indices { detach(&description.shares[index].map, isReadOnly: shares[index].isReadOnly) }
    for index in sharedDevices.indices {
      detach(&description.sharedDevices[index].share.map, isReadOnly: sharedDevices[index].share.isReadOnly)
    }
    return description
  }

  /// Whether each directory of a tree is one that leads nowhere else, so that the rest of the host can be left.
  var isDetached: Bool {
    (reads + writes + (shares + sharedDevices.map(\.share)).map(\.map)).allSatisfy { $0.place != nil }
  }

  /// What takes calls in this machine.
  func parts(broker: Int32?) -> ConfinementPolicy.Parts {
    var parts = ConfinementPolicy.Parts()
    parts.hasTrees = treeCount > 0
    parts.isDetached = isDetached
    parts.hasWritableTrees =
      !writes.isEmpty || (shares + sharedDevices.map(\.share)).contains { !$0.isReadOnly }
    parts.hasWindows = window > 0 || !mappedDisks.isEmpty
    parts.hasDisks = !disks.isEmpty || !mappedDisks.isEmpty
    parts.hasTaps = cards.contains {
      if case .stream = $0.link { false } else { true }
    }
    parts.isOnBus = transport == .pci
    parts.hasAffinity = affinity != nil
    parts.process = ProcessPrivileges.process
    parts.broker = broker
    parts.identity = identity
    return parts
  }
}
