import Devices
import FileSystem
import Host

/// A tree of the host's directories, as a file system of the guest.
final class TreeLine: DevicePart {
  static let kind = DeviceKind { description, board throws(MachineError) in
    var lines: [any DevicePart] = []
    if description.hasTree { lines.append(try TreeLine(description, board)) }
    for (index, device) in description.sharedDevices.enumerated() {
      lines.append(try TreeLine("share\(index)", device, description))
    }
    return lines
  }

  /// How long the machine's end waits for what is under way in each queue, in milliseconds.
  private static let patience: UInt64 = 500

  private let name: String
  private let server: FileSystemServer
  private let device: FileSystemDevice
  private let hasWindow: Bool
  /// The guest is the only one that writes there: it never asks whether something has changed.
  private var writeLocks: [DirectoryLock] = []
  private var watch: WindowWatch?
  private var slot: VirtioSlot?

  /// The one that the machine lives in.
  private init(_ description: MachineDescription, _ board: Board) throws(MachineError) {
    let window = board.ram.window
    do {
      server = FileSystemServer(
        try LayeredTree(
          reads: description.reads, writes: description.writes, shares: description.shares, hides: description.hides,
          users: description.users, groups: description.groups, window: window?.files,
          mountPoints: description.sharedDevices.filter { !$0.hasFiles }.flatMap(\.shares).map(\.map.guestPath),
          treeCount: description.treeCount))
    } catch {
      throw .tree(error)
    }
    name = "tree"
    hasWindow = window != nil
    device = FileSystemDevice(
      tag: description.tag, requestQueues: Self.queueCount(description), window: window?.addresses, backend: server)
    for map in description.writes { writeLocks.append(try Self.lock(map)) }
    // Now the guest has booted: what has run until then is seldom needed again.
    server.whenMounted = { OwnCode.release() }
  }

  /// Shares that are a device: they alone are what the guest mounts from it.
  private init(
    _ name: String, _ shared: SharedDevice, _ description: MachineDescription
  ) throws(MachineError) {
    var shares = shared.shares
    if !shared.hasFiles { shares[0].map.guestPath = "/" }
    do {
      server = FileSystemServer(
        try LayeredTree(
          reads: [], shares: shares, users: description.users, groups: description.groups,
          treeCount: description.treeCount))
    } catch {
      throw .tree(error)
    }
    self.name = name
    hasWindow = false
    device = FileSystemDevice(tag: shared.tag, requestQueues: Self.queueCount(description), backend: server)
  }

  /// More queues than vCPUs have nobody to fill them.
  private static func queueCount(_ description: MachineDescription) -> Int { min(description.processors.count, 4) }

  /// A machine that has just ended may have a directory for moments still.
  private static func lock(_ map: LayerMap) throws(MachineError) -> DirectoryLock {
    do throws(Errno) {
      return try DirectoryLock(map.place ?? map.hostPath, patience: 2000)
    } catch {
      throw error == .wouldBlock ? .writtenElsewhere(path: map.hostPath) : .file(path: map.hostPath, error)
    }
  }

  func attach(to board: Board) throws(MachineError) {
    if hasWindow { board.add(server) }
    if let number = server.windowWatch {
      let watch = WindowWatch(server)
      do throws(Errno) { try board.loop.add(number, .readable, watch) } catch { throw .host("inotify", error) }
      self.watch = watch
    }
    slot = try board.add(device, named: name)
  }

  var usage: [String] {
    ["nodes=\(server.nodeCount)"]
      + server.written.map { map in
        "written=\(map.bytes)/\(map.limit.bytes)/\(map.files)" + (map.limit.files.map { "/\($0)" } ?? "")
      }
  }

  var roots: [FileSystemServer.Root] { server.roots }

  func close() {
    // A host that does not answer holds up no end. What is left in a write map goes when it is next used.
    if slot?.rests(within: Self.patience) == false { server.abandon() } else { server.close() }
  }
}

extension FileSystemServer: FileSystemBackend {}
