import Devices
import Host

/// The guest's vsock, bridged to Unix sockets.
final class VsockLine: DevicePart {
  static let kind = DeviceKind { description, board throws(MachineError) in
    description.vsock.map { [VsockLine($0, description.guestCID)] } ?? []
  }

  private let path: Path
  private let device: VsockDevice
  private var backend: UnixVsockBackend?
  /// Whether the socket's name is another process's to remove.
  private var isKept = false

  private init(_ path: Path, _ cid: UInt64) {
    self.path = path
    device = VsockDevice(guestCID: cid)
  }

  func attach(to board: Board) throws(MachineError) {
    isKept = board.broker != nil
    _ = try board.add(device, named: "vsock")
    do throws(Errno) {
      let backend = try UnixVsockBackend(device, path: path, broker: board.broker, loop: board.loop)
      board.connect = { port throws(Errno) in try backend.connect(port: port) }
      self.backend = backend
    } catch {
      throw .file(path: path, error)
    }
  }

  var usage: [String] { ["streams=\(device.streamCount)"] }

  func close() { if !isKept { backend?.close() } }
}
