import Glibc
import Host
import Logging

/// A share whose changes by the host the guest's watchers are told of: its directories, watched one by one.
///
/// The guest may have made what is found there: no link is followed, and what is looked at is beneath the share.
final class WatchedShare: PollSource {
  private let watch: DirectoryWatch
  private let root: FileDescriptor
  /// The root's path in the guest; empty for `/`.
  private let guest: [UInt8]
  /// The name on the host, if the share is of that one file; `guest` is then the file's path.
  private let file: [UInt8]?
  private let stamps: GuestStamps
  private let logger: Logger
  /// Paths below the root, by their numbers; the root's own is empty.
  private var directories: [Int32: [UInt8]] = [:]
  private var unscanned: [(path: [UInt8], isNew: Bool)] = [([], false)]
  /// Directories that could not be watched.
  private var missed = 0
  private let limit: Int

  /// - Throws: where the host cannot have it watched.
  init(_ map: TreeMap, stamps: GuestStamps, logger: Logger) throws(Errno) {
    self.stamps = stamps
    self.logger = logger
    let path = Path(map.host)
    root = try FileDescriptor.open(map.isFile ? path.parent : path, OpenFlags.directory)
    file = map.isFile ? map.host.split(separator: Self.slash).last.map { Array($0) } : nil
    guest = map.guest == [UInt8(ascii: "/")] ? [] : map.guest
    watch = try DirectoryWatch()
    limit = min(Self.mostDirectories, DirectoryWatch.mostOfUser.map { $0 / 2 } ?? Self.mostDirectories)
  }

  var interest: PollInterest? { PollInterest(watch.raw, POLLIN) }
  var deadline: MonotonicTime? { unscanned.isEmpty ? nil : .past }

  /// The guest takes stamps: from the first one on novmm keeps account of what the guest changes itself.
  func open() { stamps.add(inGuest([]), in: inGuest([])) }

  func expired() throws(NovmError) {
    for _ in 0..<Self.turn {
      guard let (path, isNew) = unscanned.popLast() else { break }
      scan(path, isNew: isNew)
    }
    guard unscanned.isEmpty, missed > 0 else { return }
    logger.warning(
      """
      the guest is not told what changes in \(missed) directories of the share \(String(printable: guest)): no more than \
      \(limit) are watched, half of what sysctl fs.inotify.max_user_watches grants, and at most \(Self.mostDirectories)
      """)
    missed = 0
  }

  /// Watches a directory, and notes those in it; one that is gone again is none.
  ///
  /// - Parameter isNew: whether what is in it has come with it, unseen.
  private func scan(_ path: [UInt8], isNew: Bool) {
    guard directories.count < limit else {
      missed += 1
      return
    }
    let name = (path.isEmpty ? [UInt8(ascii: ".")] : path) + [0]
    guard let directory = try? FileCalls.openBeneath(root.raw, name.span, OpenFlags.directory) else { return }
    do throws(Errno) {
      directories[try watch.add(directory.raw)] = path
    } catch {
      missed += 1
      return
    }
    guard file == nil else { return }
    var buffer = [UInt8](repeating: 0, count: 1 << 15)
    _ = try? FileCalls.eachName(directory.raw, &buffer) { name, type in
      let child = Self.join(path, name.dropLast())
      if isNew { stamp(child, in: path) }
      if type == UInt8(DT_DIR) || type == UInt8(DT_UNKNOWN) { unscanned.append((child, isNew)) }
      return true
    }
  }

  func ready(_ events: Int32) throws(NovmError) {
    for event in watch.events() {
      if event.changes.contains(.lost) {
        for path in directories.values { stamp(path, in: path) }
      } else if let directory = directories[event.directory] {
        take(event, in: directory)
      }
    }
  }

  private func take(_ event: DirectoryWatch.Event, in directory: [UInt8]) {
    let changes = event.changes
    if changes.contains(.ended) {
      directories[event.directory] = nil
      return
    }
    if let file {
      if event.name == file { stamps.add(guest, changes.contains(.attributes) ? .attributes : .content, in: guest) }
      return
    }
    let path = event.name.isEmpty ? directory : Self.join(directory, event.name)
    let isDirectory = changes.contains(.isDirectory) && !event.name.isEmpty
    if !changes.isDisjoint(with: [.came, .went]) {
      if isDirectory {
        if changes.isDisjoint(with: .came) { forget(path) } else { unscanned.append((path, true)) }
      }
      // Of a name that went only the guest's memory of it goes; who watches is told of the directory.
      stamp(path, in: directory)
      stamp(directory, in: directory)
    } else {
      stamp(path, changes.contains(.modified) ? .content : .attributes, in: directory)
    }
  }

  /// A directory is gone, or elsewhere, with all that is in it.
  private func forget(_ path: [UInt8]) {
    let beneath = path + [Self.slash]
    for (number, each) in directories where each == path || each.starts(with: beneath) {
      watch.remove(number)
      directories[number] = nil
    }
  }

  private func stamp(_ path: [UInt8], _ kind: GuestStamps.Kind = .content, in directory: [UInt8]) {
    stamps.add(inGuest(path), kind, in: inGuest(directory))
  }

  private func inGuest(_ path: [UInt8]) -> [UInt8] {
    let whole = path.isEmpty ? guest : guest + [Self.slash] + path
    return whole.isEmpty ? [Self.slash] : whole
  }

  private static func join(_ directory: [UInt8], _ name: some Collection<UInt8>) -> [UInt8] {
    directory.isEmpty ? Array(name) : directory + [slash] + name
  }

  private static let slash = UInt8(ascii: "/")
  /// For each a kilobyte of the host's kernel is taken.
  private static let mostDirectories = 16384
  /// Directories that are looked through before anything else has its turn.
  private static let turn = 64
}
