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
  ///
  /// Single files are opened now, whoever runs this: who is held to a file has nothing of the directory that it is in.
  func detachingTrees() -> MachineDescription {
    var description = self
    func detach(_ map: inout LayerMap, isReadOnly: Bool) {
      if ProcessPrivileges.isRoot, let tree = try? DetachedTree(of: map.hostPath, isReadOnly: isReadOnly) {
        map.place = tree.keep()
      } else if let opened = try? FileDescriptor.open(map.hostPath, OpenFlags.path),
        (try? FileCalls.status(opened.raw))?.isRegular == true
      {
        map.place = "/proc/self/fd/\(opened.release())"
      }
    }
    for index in reads.indices { detach(&description.reads[index], isReadOnly: true) }
    for index in writes.indices { detach(&description.writes[index], isReadOnly: false) }
    for index in shares.indices { detach(&description.shares[index].map, isReadOnly: shares[index].isReadOnly) }
    for (index, device) in sharedDevices.enumerated() {
      for (number, share) in device.shares.enumerated() {
        detach(&description.sharedDevices[index].shares[number].map, isReadOnly: share.isReadOnly)
      }
    }
    return description
  }

  /// Whether each directory of a tree is one that leads nowhere else, so that the rest of the host can be left.
  var isDetached: Bool { (reads + writes + allShares.map(\.map)).allSatisfy { $0.place != nil } }

  private var allShares: [Share] { shares + sharedDevices.flatMap(\.shares) }

  /// What takes calls in this machine.
  func parts(broker: Int32?) -> ConfinementPolicy.Parts {
    var parts = ConfinementPolicy.Parts()
    parts.hasTrees = treeCount > 0
    parts.isDetached = isDetached
    parts.hasWritableTrees = !writes.isEmpty || allShares.contains { !$0.isReadOnly }
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
