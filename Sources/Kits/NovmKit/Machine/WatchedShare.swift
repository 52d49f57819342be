import Glibc
import Host
import Logging

/// A share whose changes by the host the guest's watchers are told of: its directories, watched one by one.
///
/// The guest may have made what is found there: no link is followed, and what is looked at is beneath the share.
final class WatchedShare: PollSource {
  /// What is told of a directory as it is looked through.
  private enum Sight {
    /// It was there before the guest looked.
    case old
    /// All that is in it has come with it, unseen.
    case new
    /// Nobody knows what has changed in it.
    case unsure
  }

  private var watch: DirectoryWatch
  private let root: FileDescriptor
  /// The root's path in the guest; empty for `/`.
  private let guest: [UInt8]
  /// The name on the host, if the share is of that one file; `guest` is then the file's path.
  private let file: [UInt8]?
  private let stamps: any ChangeTaker
  private let logger: Logger
  /// Paths below the root, by their numbers; the root's own is empty.
  private var directories: [Int32: [UInt8]] = [:]
  private var unscanned: [(path: [UInt8], sight: Sight)] = [([], .old)]
  /// Of all these paths, as the guest can make long ones.
  private var pathBytes = 0
  /// Directories that could not be watched, or as many of them as were come by, and why the first of them could not.
  private var missed = 0
  private var failure: Errno?
  /// Of how many the log has: it says so again of twice as many, as the guest can make them come and go.
  private var told = 0
  private let limit: Int
  private let names: Int
  private let byteLimit: Int

  /// - Parameters:
  ///   - limit: directories that are watched at most.
  ///   - byteLimit: bytes that their paths have at most.
  ///   - names: those of one directory that are looked through, and of several before anything else has its turn.
  /// - Throws: where the host cannot have it watched.
  init(
    _ map: TreeMap, stamps: any ChangeTaker, limit: Int = WatchedShare.mostDirectories,
    byteLimit: Int = WatchedShare.mostPathBytes, names: Int = 1 << 18, logger: Logger
  ) throws(Errno) {
    self.stamps = stamps
    self.logger = logger
    let path = Path(map.host)
    root = try FileDescriptor.open(map.isFile ? path.parent : path, OpenFlags.directory)
    file = map.isFile ? map.host.split(separator: Self.slash).last.map { Array($0) } : nil
    guest = map.guest == [UInt8(ascii: "/")] ? [] : map.guest
    watch = try DirectoryWatch()
    self.names = names
    self.limit = min(limit, DirectoryWatch.mostOfUser.map { $0 / 2 } ?? limit)
    self.byteLimit = byteLimit
  }

  var interest: PollInterest? { PollInterest(watch.raw, POLLIN) }
  var deadline: MonotonicTime? { unscanned.isEmpty ? nil : .past }

  /// The guest takes stamps: from the first one on novmm keeps account of what the guest changes itself.
  func open() { stamp([], in: []) }

  func expired() throws(NovmError) {
    var left = names
    for _ in 0..<Self.turn {
      guard left > 0, let (path, sight) = unscanned.popLast() else { break }
      pathBytes -= path.count
      do throws(Errno) {
        try scan(path, sight, &left)
      } catch {
        // What is gone again, or never was one, is nobody's.
        if ![.notFound, .notDirectory, .tooManySymlinks].contains(error) { miss(error) }
      }
    }
    guard unscanned.isEmpty, missed > 0, missed >= 2 * told else { return }
    told = missed
    let reason = failure.map { "; the first of them: \($0.description)" } ?? ""
    logger.warning(
      """
      the guest is not told what changes in \(missed) directories or more of the share \(String(printable: inGuest([])))\
      \(reason); no more than \(limit) are watched, half of what sysctl fs.inotify.max_user_watches grants, and at most \
      \(Self.mostDirectories), with paths of \(byteLimit >> 20) MiB
      """)
  }

  private func miss(_ error: Errno? = nil) {
    missed += 1
    if failure == nil { failure = error }
  }

  /// Watches a directory, and notes those in it.
  ///
  /// - Parameter left: names that may still be looked at in this turn.
  private func scan(_ path: [UInt8], _ sight: Sight, _ left: inout Int) throws(Errno) {
    let name = (path.isEmpty ? [UInt8(ascii: ".")] : path) + [0]
    let directory = try FileCalls.openBeneath(root.raw, name.span, OpenFlags.directory)
    let number = try watch.add(directory.raw)
    // One that is watched already may be elsewhere now, and takes no room.
    let before = directories[number]
    guard before != nil || directories.count < limit, hasRoom(for: path, inPlaceOf: before) else {
      drop(number)
      return miss()
    }
    directories[number] = path
    pathBytes += path.count - (before?.count ?? 0)
    if sight == .unsure { stamp(path, in: path) }
    guard file == nil else { return }
    var buffer = [UInt8](repeating: 0, count: 1 << 15)
    var count = 0
    defer { left -= count }
    _ = try FileCalls.eachName(directory.raw, &buffer) { name, type in
      count += 1
      guard count <= names else {
        miss()
        return false
      }
      let child = Self.join(path, name.dropLast())
      if sight == .new { stamp(child, in: path) }
      guard type == UInt8(DT_DIR) || type == UInt8(DT_UNKNOWN) else { return true }
      guard directories.count + unscanned.count < limit, hasRoom(for: child) else {
        miss()
        return false
      }
      lookThrough(child, sight)
      return true
    }
  }

  private func hasRoom(for path: [UInt8], inPlaceOf other: [UInt8]? = nil) -> Bool {
    pathBytes + path.count - (other?.count ?? 0) <= byteLimit
  }

  private func lookThrough(_ path: [UInt8], _ sight: Sight) {
    unscanned.append((path, sight))
    pathBytes += path.count
  }

  private func drop(_ number: Int32) {
    watch.remove(number)
    if let path = directories.removeValue(forKey: number) { pathBytes -= path.count }
  }

  func ready(_ events: Int32) throws(NovmError) {
    for event in watch.events() {
      // What came and went among the lost nobody knows, so all is looked through anew.
      if event.changes.contains(.lost) { return startAnew() }
      if let directory = directories[event.directory] { take(event, in: directory) }
    }
  }

  private func startAnew() {
    if let new = try? DirectoryWatch() { watch = new }
    directories = [:]
    unscanned = [([], .unsure)]
    pathBytes = 0
    missed = 0
  }

  private func take(_ event: DirectoryWatch.Event, in directory: [UInt8]) {
    let changes = event.changes
    if changes.contains(.ended) {
      if let path = directories.removeValue(forKey: event.directory) { pathBytes -= path.count }
      return
    }
    if let file {
      if event.name == file { stamp([], changes.contains(.attributes) ? .attributes : .content, in: []) }
      return
    }
    let path = event.name.isEmpty ? directory : Self.join(directory, event.name)
    let isDirectory = changes.contains(.isDirectory) && !event.name.isEmpty
    if !changes.isDisjoint(with: [.came, .went]) {
      if isDirectory, changes.contains(.moved) { forget(path) }
      if isDirectory, !changes.isDisjoint(with: .came) {
        // It may come and go many times before it is looked through.
        if let place = unscanned.firstIndex(where: { $0.path == path }) {
          unscanned.remove(at: place)
          pathBytes -= path.count
        }
        if unscanned.count < limit, hasRoom(for: path) { lookThrough(path, .new) } else { miss() }
      }
      // Of a name that went only the guest's memory of it goes; who watches is told of the directory.
      stamp(path, in: directory)
      stamp(directory, in: directory)
    } else {
      stamp(path, changes.contains(.modified) ? .content : .attributes, in: directory)
    }
  }

  /// A directory is elsewhere, with all that is in it. Of one that was removed the kernel tells, and nothing was in it.
  private func forget(_ path: [UInt8]) {
    let beneath = path + [Self.slash]
    for (number, each) in directories where each == path || each.starts(with: beneath) { drop(number) }
  }

  private func stamp(_ path: [UInt8], _ kind: GuestStamps.Kind = .content, in directory: [UInt8]) {
    stamps.add(inGuest(path), kind, in: inGuest(directory), of: inGuest([]))
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
  static let mostDirectories = 16384
  static let mostPathBytes = 8 << 20
  /// Directories that are looked through before anything else has its turn.
  private static let turn = 64
}
