import FileSystem
import State

/// A device of a machine, and its line on the host: one part, from the making to the end. Everything here comes on the event
/// loop's thread.
///
/// A new device is a file with its part, and a line in ``DeviceKind/all``.
protocol DevicePart: AnyObject {
  /// Gives the device its place in the machine. No vCPU runs yet.
  func attach(to board: Board) throws(MachineError)

  /// Does what the machine's operator wants of this device.
  ///
  /// - Returns: false if the order is for another one.
  func obey(_ order: ControlOrder, _ client: ControlClient) -> Bool

  /// Returns once nothing of the device's is under way with the host, and the guest has what has ended. On any thread: the
  /// machine is quiesced, so no vCPU runs, no queue is served, and the event loop calls nothing of the part's.
  func settle()

  /// What the guest makes the part hold, each as `KEY=VALUE`.
  var usage: [String] { get }

  /// Adds what is no virtio device's to a machine's state; those the board does. As for `settle`.
  func save(to state: inout StateWriter)

  /// Makes the part, whose machine has not run yet, what it was.
  func restore(from state: inout StateReader) throws(StateError)

  /// Open directories that its files are in, and nowhere else.
  var roots: [FileSystemServer.Root] { get }

  /// The machine has ended, whatever the way: removes what the part has put into the host's file system. Its queues are served no
  /// more, but who works on one may wait for the host still.
  func close()
}

extension DevicePart {
  func obey(_ order: ControlOrder, _ client: ControlClient) -> Bool { false }
  var usage: [String] { [] }
  var roots: [FileSystemServer.Root] { [] }
  func settle() {}
  func save(to state: inout StateWriter) {}
  func restore(from state: inout StateReader) throws(StateError) {}
  func close() {}
}

/// A kind of device, and how those are made that a machine's description has of it.
struct DeviceKind: Sendable {
  /// Opens what the parts need of the host; they are attached in this order.
  let make: @Sendable (MachineDescription, Board) throws(MachineError) -> [any DevicePart]

  /// In the order in which they get their places, so that what a guest has seen of its devices stays true: a new kind goes to
  /// the end, and none away. (Where that is not enough, the description names places itself.)
  static let all: [DeviceKind] = [
    SerialLine.kind,
    EntropyLine.kind,
    TreeLine.kind,
    VsockLine.kind,
    ConsoleLine.kind,
    BalloonLine.kind,
    DiskLine.kind,
    MappedDisk.kind,
    NetworkLine.kind,
  ]
}
