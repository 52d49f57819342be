import AgentProtocol
import Boot
import Changes
import Host
import Images
import KernelBundle
import Packs
import Store

/// What can go wrong with `novm`. Only the program turns it into words.
package enum NovmError: Error, Equatable {
  case store(StoreError)
  case bundle(KernelBundleError)
  /// A kernel of this release was built without ACPI, by which it would find a PCI bus.
  case busWithoutACPI(String)
  case pack(PackError)
  case image(ImageError)
  case changes(ChangesError)
  /// A system call on a path failed.
  case system(doing: String, path: String, Errno)
  /// A system call without a path failed.
  case call(String, Errno)

  // What the user asked for.
  case treeMap([UInt8], TreeMapFault)
  case hostPath([UInt8], HostPathFault)
  /// Two write maps to one directory.
  case writtenTwice([UInt8])
  /// One volume for two places.
  case volumeTwice(String)
  /// A guest path, at which two maps take the writes.
  case mappedTwice([UInt8])
  /// A guest path that the guest's kernel has its own file systems at.
  case mappedUnseen([UInt8])
  /// A directory of novm's own on a file system without user attributes.
  case storeWithoutAttributes(String)
  /// Not `NAME=>GUEST`.
  case volume([UInt8])
  /// Its path of the guest's is none.
  case volumeGuest([UInt8])
  /// Behind the path of a volume, which takes none.
  case volumeOption([UInt8], String)
  /// Of `--mount`, with a key that there is not.
  case mount([UInt8], String?)
  /// Of `--mount`, with a key that only this type has.
  case mountKey([UInt8], String, type: String)
  case temporary(String)
  case shmSize(String)
  /// A disk's file that is not there.
  case diskMissing(option: String, [UInt8])
  /// Not `NAME[=>GUEST]`.
  case packMap([UInt8])
  /// Not a path of the guest's to hide.
  case hiddenPath([UInt8])
  /// Not `GUEST:HOST:COUNT`.
  case idMap(option: String, String)
  case idMapWithoutRoot(option: String)
  /// Not an amount of memory.
  case memory(String)
  case memoryTooSmall(MemorySize, least: MemorySize)
  case memoryTooLarge(MemorySize, most: MemorySize)
  case processors(String)
  case node(String)
  case nodes(NUMALayout.Fault)
  case distance(String)
  case distanceWithoutNodes
  /// The kernel's release.
  case nodesWithoutACPI(String)
  case affinity(String)
  case entropyRate(String)
  /// Of NOVM_TEMPLATE.
  case templateChoice(String)
  case runAs(String)
  case runAsUnconfined
  case runAsWithoutRoot
  case noUserLeft(String)
  case controlGroup(String)
  case cgroup(String, ControlGroupFault)
  case writeLimit(String)
  case writeLimitWithWindow
  /// Not a size, `auto` or `off`.
  case window(String)
  case serial(String)
  case hostname(String)
  case card(String, NetworkCardFault)
  case tooManyCards(Int)
  case repeatedAddress(MACAddress)
  case disk(option: String, [UInt8], DiskFault)
  /// What a machine with a disk for its root cannot have.
  case withoutTree(option: String)
  /// A share that such a machine cannot have.
  case shareOnDisk([UInt8])
  case tooManyShares(Int, most: Int)
  case tooManyDisks(Int)
  case repeatedSerial(String)
  case repeatedDiskName(String)
  /// Not `KEY=VALUE`.
  case label(String)
  /// Not `[ADDRESS:]HOST:GUEST[/udp]`.
  case published(String)
  case grant(option: String, String)
  case grantWithoutNetwork(option: String, String)
  case publishing(PublishedPort.Host, Errno)
  case passtMissing
  /// The user network did not come up, and said why.
  case userNetwork(String)
  case environment(String)
  /// A setting of a description that cannot be, and why; its line from 1 on, 0 if there is no text.
  case setting(String, line: Int, String)
  /// `--user` with nothing in it.
  case noUser
  /// No machine can be made of this image, or no image of this machine, and why.
  case unfitImage(String, String)
  /// `--publish-all` for a machine of none.
  case publishAllWithoutImage
  /// Nothing that could be looked at where `--kernel` leads.
  case kernelPath(String, Errno)
  /// A path, and what is wrong with what is there.
  case debugInformation(String, DebugInformation.Fault)

  // novm's own parts.
  case programMissing(String)
  case damagedProgram(String, Errno)

  // The machine.
  /// A kept machine has no definition that can be read.
  case machineDefinition(String)
  case machineEnded(MachineEnd)
  /// A machine in the background did not start.
  case start(status: Int32, message: String)
  /// What was asked needs a machine that runs.
  case notRunning(String)
  /// What was asked needs a machine that is not paused.
  case paused(String)
  /// The machine of this name ended before its command.
  case machineGone(String)
  /// The monitor does not do what was asked with something, and says why.
  case refused(String, String)
  /// A machine that is to begin with a template has none, and why.
  case noTemplate(String)
  /// The guest closed the connection of a command that had not ended.
  case agentLost
  /// What was waited for did not come about in the time that the caller had for it.
  case tookTooLong(String)
  /// The guest did not answer in time.
  case agentSilent
  /// What the agent does itself failed, in its own words.
  case builtIn(String)
  /// A file whose name, or whose link's target, is too long to be sent to a guest.
  case unfitFile([UInt8])
  case agentVersion(UInt16)
  /// The guest could not make a machine of itself, and says why.
  case guestFailed(Failure)
  case protocolViolation(FrameError)
  /// The guest sends more files than are kept of it.
  case excessFiles(FileCollector.Excess)
  /// The guest refused the connection for commands.
  case agentRefused
  /// Nobody in the guest listens at a port of its vsock.
  case portRefused(UInt32)
  /// The command could not be run: 125, 126 or 127.
  case commandFailed(command: [UInt8], Failure)
  /// The command's output could not be written where it was to go.
  case output(Errno)
  /// A signal ended novm.
  case interrupted(Int32)

  /// The exit status for this error.
  package var exitStatus: Int32 {
    switch self {
    case .commandFailed(_, let failure): Int32(failure.exitStatus)
    case .interrupted(let signal): 128 + signal
    case .start(let status, _): status
    default: 125
    }
  }
}

/// What is wrong with a host path of `--read` or `--write`.
package enum HostPathFault: Equatable, Sendable {
  case missing
  /// Of a share: what is before its last colon is there.
  case noShareOptions
  /// Written as Docker has it.
  case asDocker(host: [UInt8], guest: [UInt8])
  case notADirectory
  /// For `--write`.
  case fileToWrite
  /// No path of the guest's was given for it.
  case fileAtRoot
  case unwritableFile
  case unreadable
  case unwritable
  /// In the host's /dev, /proc or /sys.
  case systemDirectory
  /// Its file system has no user attributes, and without root nothing else records owners.
  case withoutAttributes
  case other(Errno)
}
