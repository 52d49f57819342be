import Devices
import Host

/// A disk's way from its description to its device.
final class DiskLine: DevicePart {
  static let kind = DeviceKind { description, board throws(MachineError) in
    let serials = description.disks.map { $0.serial }
    var lines: [any DevicePart] = []
    for (index, disk) in description.disks.enumerated() {
      // More queues than vCPUs have nobody to fill them.
      let line = try DiskLine(disk, index, queueCount: min(description.processors.count, 4), loop: board.loop)
      // By its place in the description, unless that is the serial number of another.
      if serials.contains(String(index)) { line.number = nil }
      lines.append(line)
    }
    return lines
  }

  private let name: String
  private let serial: String?
  private var number: String?
  private let device: BlockDevice
  private let file: DiskFile
  private let backend: FileDisk
  private var slot: VirtioSlot?

  /// Opens and locks the file.
  ///
  /// - Parameter queueCount: how many queues the guest may fill.
  private init(_ disk: Disk, _ index: Int, queueCount: Int, loop: EventLoop) throws(MachineError) {
    name = "disk\(index)"
    number = String(index)
    serial = disk.serial
    let size: UInt64
    do throws(DiskFile.Refusal) {
      file = try DiskFile(disk)
      size = try file.size()
    } catch {
      throw .disk(path: disk.path, error)
    }
    var shape = BlockShape()
    shape.isReadOnly = disk.isReadOnly
    shape.serial = Array((disk.serial ?? "").utf8)
    shape.blockSize = file.blockSize
    shape.physicalBlockSize = file.physicalBlockSize
    shape.minimumTransfer = file.minimumTransfer
    shape.optimalTransfer = file.optimalTransfer
    shape.discardUnit = file.physicalBlockSize
    backend = FileDisk(file, queueCount: queueCount, ignoresFlushes: disk.cache == .unsafe)
    var limited: RateLimitedDisk?
    if disk.rate != nil || disk.operations != nil {
      do throws(Errno) {
        limited = try RateLimitedDisk(
          backend, rate: disk.rate, operations: disk.operations, queueCount: queueCount, loop: loop)
      } catch {
        throw .host("timer", error)
      }
    }
    device = BlockDevice(size: size, shape: shape, queueCount: queueCount, backend: limited ?? backend)
    backend.device = device
    limited?.device = device
  }

  func attach(to board: Board) throws(MachineError) {
    let slot = try board.add(device, named: name)
    self.slot = slot
    backend.useRings(slot.workers.map(\.event))
  }

  func settle() { device.settle() }

  func obey(_ order: ControlOrder, _ client: ControlClient) -> Bool {
    guard case .resize(let name, let size) = order, name == serial || name == number else { return false }
    do throws(ResizeFault) {
      client.answer("size \(try resize(to: size))")
    } catch {
      client.answer("refused \(error.description)")
    }
    return true
  }

  /// Tells the guest of the size that the file has, after it was made larger where that is asked for.
  ///
  /// - Parameter wanted: bytes; nil for what the file or device has by now.
  /// - Returns: the size now.
  func resize(to wanted: UInt64?) throws(ResizeFault) -> UInt64 {
    let size: UInt64
    do throws(DiskFile.Refusal) { size = try file.size() } catch { throw .host(.inputOutput) }
    let target = wanted ?? size
    guard target % UInt64(file.blockSize) == 0 else { throw .block(file.blockSize) }
    // A guest's file system beyond the end would be lost.
    guard target >= device.size else { throw .smaller(device.size) }
    if target > size {
      guard !file.isBlockDevice, !file.isReadOnly else { throw .fixed(size) }
      do throws(Errno) { try file.grow(to: target) } catch { throw .host(error) }
    }
    device.resize(target)
    slot?.configurationChanged()
    return target
  }

  /// Why a disk keeps its size.
  enum ResizeFault: Error, Equatable {
    case smaller(UInt64)
    case block(UInt32)
    /// It can only have what it has.
    case fixed(UInt64)
    case host(Errno)

    var description: String {
      switch self {
      case .smaller(let size): "the guest has \(size) bytes of it already, and a disk does not shrink"
      case .block(let size): "its blocks are of \(size) bytes"
      case .fixed(let size): "it has \(size) bytes, and what it is on gives no more"
      case .host(let error): error.description
      }
    }
  }
}

extension Disk {
  /// For people.
  var path: Path {
    switch source {
    case .file(let path): path
    case .descriptor(let number): "fd:\(number)"
    }
  }
}
