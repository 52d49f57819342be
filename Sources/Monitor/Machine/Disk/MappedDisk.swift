import Devices
import GuestMemory
import Host
import Synchronization

/// A file that the guest has as persistent memory: its pages in the host's page cache are the guest's own.
final class MappedDisk: PersistentMemoryBackend, MendableWindow, EventHandler, DevicePart {
  static let kind = DeviceKind { _, board throws(MachineError) in
    for (index, (disk, addresses)) in board.ram.disks.enumerated() { disk.place = (index, addresses) }
    return board.ram.disks.map { $0.disk }
  }

  /// Its pages. Huge ones can be mapped as such, since they begin at 2 MiB here and in the guest.
  let window: FileWindow
  let path: Path
  var isReadOnly: Bool { file.isReadOnly }

  private let file: DiskFile
  /// Which of the machine's it is, and where the guest finds it.
  private var place: (index: Int, addresses: Range<UInt64>)?
  /// Nobody should write to the file meanwhile, or shorten it; nil where it cannot be watched.
  private let watch = try? FileWatch()
  private let lock = Lock()
  private let mends = Atomic<Int>(0)

  /// Opens and locks the file, and maps it.
  init(_ disk: Disk) throws(MachineError) {
    path = disk.path
    do throws(DiskFile.Refusal) {
      file = try DiskFile(disk, unit: UInt32(PersistentMemoryDevice.alignment))
      let size = try file.size()
      do throws(Errno) {
        window = try FileWindow(count: Int(clamping: size))
        try file.show(in: window, size: size)
      } catch {
        throw .open(error)
      }
    } catch {
      throw .disk(path: disk.path, error)
    }
  }

  /// For guest RAM; valid for as long as this lives.
  @unsafe func region(at base: GuestAddress) -> GuestMemory.Region {
    unsafe GuestMemory.Region(base: base, bytes: window.bytes, isWindow: true)
  }

  func attach(to board: Board) throws(MachineError) {
    guard let place else { return }
    board.add(self)
    do throws(Errno) { try beWatched(by: board.loop) } catch { throw .host("inotify", error) }
    _ = try board.add(PersistentMemoryDevice(place.addresses, backend: self), named: "pmem\(place.index)")
  }

  /// What was written to memory is the file's when it is flushed as if it had been written to the file.
  func flush() -> Bool {
    // Whoever flushes has written. Here that is lost, and so is some of it where pages are no longer the file's.
    guard !isReadOnly, mendCount == 0 else { return false }
    do throws(Errno) { try file.flush() } catch { return false }
    return mendCount == 0
  }

  /// Has what is cut off the file mended at once, where an access would not fail but be tried for ever (asynchronous page
  /// faults, Linux 6.1).
  func beWatched(by loop: EventLoop) throws(Errno) {
    guard let watch, (try? file.add(to: watch)) != nil else { return }
    try loop.add(watch.raw, .readable, self)
  }

  func ready(_ events: EventLoop.Events) {
    guard watch?.drain() == true, let size = try? file.size(), size < UInt64(window.count) else { return }
    _ = lock.withLock { mend(from: Int(size + 4095) & ~4095) }
  }

  var mendCount: Int { mends.load(ordering: .acquiring) }

  func mend(after seen: Int) -> Bool { lock.withLock { mendCount != seen || mend(from: 0) } }

  private func mend(from offset: Int) -> Bool {
    let rest = window.count - offset
    guard (try? window.mend(at: offset, count: rest, isWritable: !isReadOnly)) == true else { return false }
    mends.add(1, ordering: .releasing)
    return true
  }
}
