import Boot
import FileSystem
import Host
import KVM
import State

/// What keeps a machine from starting.
package enum MachineError: Error {
  case kvm(KVMError)
  /// A file to begin with is no state of this machine.
  case state(path: Path, StateError)
  /// It is one of a machine of another shape.
  case anotherShape(path: Path, MachineShape.Difference)
  case boot(BootError)
  case tree(TreeError)
  /// A file that was named could not be used.
  case file(path: Path, Errno)
  /// Another machine has this directory for its writes.
  case writtenElsewhere(path: Path)
  /// A request to the host failed; `what` names it.
  case host(_ what: String, Errno)
  /// Two devices are to have the same place.
  case onePlace(String, String)
  /// A place was named for a device that the machine does not have.
  case noSuchDevice(String)
  /// Each virtio device takes an interrupt line, or a place on the bus, of which there are so many.
  case tooManyDevices(most: Int, onBus: Bool)
  /// A tap could not be opened or made.
  case tap(name: String, Errno)
  /// A tap could not be made a port of a bridge.
  case bridge(name: String, port: String, Errno)
  /// A tap could not be set up.
  case interface(name: String, Errno)
  /// An inherited descriptor is not what a card needs.
  case cardDescriptor(Int32, Errno)
  case disk(path: Path, DiskFile.Refusal)
  /// The process may not run on this CPU of the host's.
  case cpuMissing(Int)
  /// There is no such vCPU.
  case vcpuMissing(Int, count: Int)
  /// The host has no more than `most` bytes, swap included.
  case memoryTooLarge(bytes: UInt64, most: UInt64)
  /// Memory, with what lies behind it, has addresses that this host's processors do not.
  case beyondAddresses(bits: Int)
  /// The host cannot give this much memory.
  case memory(bytes: UInt64, Errno)
  /// Memory of huge pages is a multiple of 2 MiB.
  case oddMemory(bytes: UInt64)
  /// The monitor must be confined, and this host lacks what it takes.
  case unconfined([String])
  /// Pages of 2 MiB.
  case tooFewHugePages(needed: Int, available: Int)
}
