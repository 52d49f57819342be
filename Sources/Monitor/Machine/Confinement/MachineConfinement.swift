import Confinement
import FileSystem
import Host

/// What a machine's process gives up before the guest's first instruction.
final class MachineConfinement {
  /// What this host lacks for it, in words.
  let missing: [String]
  private let vcpus: CallFilter?

  /// Confines the calling thread, which must be the process's only one, and all that it starts.
  ///
  /// - Parameter roots: the directories that the machine's trees consist of: nothing else is opened, made, removed or renamed.
  init(
    _ parts: ConfinementPolicy.Parts, isRequired: Bool, roots: [FileSystemServer.Root]
  ) throws(MachineError) {
    var missing: [String] = []
    var vcpus: CallFilter?
    do throws(Errno) {
      ProcessPrivileges.forgetEnvironment()
      try ProcessPrivileges.renounce()
      try ProcessPrivileges.hideMemory()
      if ProcessPrivileges.isRoot {
        if !Self.leaveHost(parts) { missing.append("namespaces (as root, with CAP_SYS_ADMIN)") }
        if let identity = parts.identity {
          try ProcessPrivileges.become(user: identity.user, group: identity.group)
        }
        try ProcessPrivileges.keepCapabilities(parts.capabilities)
        // The kernel takes a process of another user's to be of no secrets any more, or of all, as fs.suid_dumpable has it.
        try ProcessPrivileges.hideMemory()
      } else {
        // A user's process may have been given some, for taps say (capabilities(7), "ambient").
        try ProcessPrivileges.keepCapabilities([])
      }
      let version = Landlock.version
      if version >= Landlock.leastVersion {
        let landlock = try Landlock()
        for root in roots {
          let access: Landlock.Access = root.isWritable ? .writing : .reading
          try landlock.allow(root.isFile ? access.intersection(.ofFile) : access, beneath: root.descriptor)
        }
        try landlock.apply()
      } else {
        missing.append(version == 0 ? "Landlock" : "a Landlock that lets files be renamed (Linux 5.19)")
      }
      if CallFilter.isAvailable {
        try CallViolation.arm()
        let policy = ConfinementPolicy(parts)
        vcpus = policy.vcpus
        try policy.all.apply()
      } else {
        missing.append("seccomp filters")
      }
    } catch {
      throw .host("confinement", error)
    }
    if isRequired, !missing.isEmpty { throw .unconfined(missing) }
    self.missing = missing
    self.vcpus = vcpus
  }

  /// Leaves all of the host's files but those of the trees. In a container root may not.
  private static func leaveHost(_ parts: ConfinementPolicy.Parts) -> Bool {
    guard parts.isDetached else { return false }
    do throws(Errno) { try EmptyRoot.enter() } catch { return false }
    return true
  }

  /// Confines the calling thread, that of a vCPU, to less.
  func confineVCPU() throws(Errno) { try vcpus?.apply() }
}
