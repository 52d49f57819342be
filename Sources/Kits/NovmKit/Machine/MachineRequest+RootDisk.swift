import Host

/// A machine whose / is a disk.
extension MachineRequest {
  /// In the order in which the guest has them.
  var allDisks: [Disk] { (rootDisk.map { [$0] } ?? []) + disks }

  func validateRootDisk() throws(NovmError) {
    guard rootDisk != nil else { return }
    let ofTrees = [
      ("--read", reads.isEmpty), ("--write", writes.isEmpty), ("--volume", volumes.isEmpty), ("--pack", packs.isEmpty),
      ("--hide", hides.isEmpty), ("--dax", window == .off), ("--debug-info", debugInformation == nil),
    ]
    if let (option, _) = ofTrees.first(where: { !$0.1 }) { throw .withoutTree(option: option) }
    // One is for the kernel's modules.
    let most = MachineDescription.mostSharedDevices - 1
    let files = shares.count { TreeMap.isFile($0.map.host) }
    let devices = shares.count - files + min(files, 1)
    if devices > most { throw .tooManyShares(devices, most: most) }
    for share in shares {
      let path = share.map.guest
      guard (2...128).contains(path.count), path.allSatisfy(MachineDescription.isPlain) else {
        throw .shareOnDisk(path)
      }
    }
  }

  /// The machine on such a disk.
  func onDisk(_ disk: Disk, _ kernel: KernelFiles) -> MachineDescription {
    var machine = MachineDescription(
      kernel: kernel, memory: memory, processors: processors, reads: [], writes: [], hostname: hostname,
      commandLine: commandLine, serialLog: serialLog, verbose: verbose)
    machine.hasRootDisk = true
    // Nothing merges: each share is a device, which the guest mounts.
    for (index, share) in shares.enumerated() {
      var share = share
      share.map = share.map.located
      if !share.map.isFile { share.tag = "share\(index)" }
      machine.shares.append(share)
    }
    machine.separateFiles()
    if let modules = kernel.modules {
      let map = TreeMap(guest: "/lib/modules/\(kernel.release)", host: modules)
      var share = TreeShare(map, isReadOnly: true, caching: .always)
      share.tag = MachineDescription.modulesTag
      machine.shares.append(share)
    }
    return machine
  }
}
