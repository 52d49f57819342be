import FUSE
import Host

/// What a write map holds of what it may: counted once, and then kept up with all that the guest does.
///
/// How much a file takes only the host knows: holes take nothing, and what is overwritten takes no more. So a change asks for
/// room for all that it could take, and afterwards the file is looked at. Names are counted, and with them the files that
/// nobody writes to; what a directory grows by is not, and is no more than some 300 bytes a name. Whiteouts do not count: there
/// are no more of them than files in the layers below, and removing something must not fail for want of room.
final class WriteAllowance: @unchecked Sendable {
  let limit: WriteLimit
  private let lock = Lock()
  private var bytes: UInt64 = 0
  private var files: UInt64 = 0
  /// What changes that are under way may take.
  private var reserved: UInt64 = 0
  private var reservedFiles: UInt64 = 0

  /// What a change may take before it is made.
  struct Reservation {
    fileprivate(set) var bytes: UInt64 = 0
    fileprivate(set) var files: UInt64 = 0
    /// What a directory took, whose growth by names is not counted.
    fileprivate var before: UInt64?
  }

  /// - Parameter root: the map's directory, open for reading.
  init(_ limit: WriteLimit, root: Int32) throws(Errno) {
    self.limit = limit
    try count(root)
  }

  /// What there is now.
  var usage: (bytes: UInt64, files: UInt64) { lock.withLock { (bytes, files) } }

  // MARK: Names

  /// Room for something new.
  ///
  /// - Parameter size: what it takes at most, besides what its name does.
  /// - Throws: ENOSPC.
  func reserve(files count: UInt64 = 1, bytes size: UInt64 = 0) throws(Errno) -> Reservation {
    let size = Self.rounded(size)
    return try lock.withLock { () throws(Errno) in
      guard hasRoom(size), limit.files.map({ files + reservedFiles + count <= $0 }) ?? true else { throw .noSpace }
      reserved += size
      reservedFiles += count
      return Reservation(bytes: size, files: count)
    }
  }

  /// Ends a change.
  ///
  /// - Parameters:
  ///   - names: as many came of it.
  ///   - node: what they are of, if it was not counted before.
  ///   - blocks: what that takes, in units of 512 bytes.
  func settle(_ reservation: Reservation, names: UInt64 = 0, _ node: Node? = nil, blocks: UInt64 = 0) {
    lock.withLock {
      end(reservation)
      files += names
      let size = Self.size(blocks)
      bytes &+= size
      node?.allotment = Node.Allotment(size)
    }
  }

  /// What was copied up, for which there was room.
  func add(_ node: Node, names: UInt64, _ status: FileStatus) {
    lock.withLock {
      files += names
      let allotment = Node.Allotment(Self.size(status.blocks))
      allotment.isLastUse = names == 0
      bytes &+= allotment.size
      node.allotment = allotment
    }
  }

  /// A further name of a file that was copied up, which it had below.
  func addName() { lock.withLock { files += 1 } }

  /// A name goes.
  ///
  /// - Parameters:
  ///   - node: what had it.
  ///   - status: of that on the host, before.
  func take(_ node: Node, _ status: FileStatus) {
    lock.withLock {
      files -= min(files, 1)
      // What it has grown by was not counted, so one that was there before gives nothing back until all is counted anew.
      if node.isDirectory { return give(node.allotment?.size ?? 0) }
      guard status.links <= 1 else { return }
      if node.allotment == nil { node.allotment = Node.Allotment(Self.size(status.blocks)) }
      // The guest may have it open.
      node.allotment!.isLastUse = true
    }
  }

  /// The guest knows a node no more. What it was the last use of is free; what is under way for it is not followed any further,
  /// since the same file may be another node's by now.
  func end(_ node: Node) {
    lock.withLock {
      guard let allotment = node.allotment else { return }
      node.allotment = nil
      if allotment.isLastUse { give(allotment.size) }
    }
  }

  /// A file without a name gets one.
  func keep(_ node: Node) { lock.withLock { node.allotment?.isLastUse = false } }

  /// A file that never had a name.
  func addTemporary(_ node: Node) {
    let allotment = Node.Allotment(0)
    allotment.isLastUse = true
    lock.withLock { node.allotment = allotment }
  }

  // MARK: Data

  /// Room in a file for a piece of it.
  ///
  /// - Throws: ENOSPC, but not where the host has allocated all of the piece already.
  func reserve(_ node: Node, _ file: Int32, offset: UInt64, count: UInt64) throws(Errno) -> Reservation {
    try lock.withLock { () throws(Errno) in
      var reservation = Reservation()
      if !node.isInTable { throw .stale }
      if node.isDirectory {
        reservation.before = Self.size(try FileCalls.status(file).blocks)
      } else if node.allotment == nil {
        node.allotment = Node.Allotment(Self.size(try FileCalls.status(file).blocks))
      }
      let (end, isTooLong) = (offset % Self.unit).addingReportingOverflow(count)
      let size = isTooLong ? .max : Self.rounded(end)
      if hasRoom(size) {
        reserved += size
        reservation.bytes = size
      } else if try !isAllocated(file, offset, count) {
        throw .noSpace
      }
      return reservation
    }
  }

  /// Looks at a file that has changed.
  func settle(_ reservation: Reservation, _ node: Node, _ file: Int32) {
    lock.withLock {
      end(reservation)
      guard let now = (try? FileCalls.status(file)).map({ Self.size($0.blocks) }) else { return }
      let allotment = node.allotment
      // It was let go meanwhile, which no guest's kernel does: then it has taken all that it asked for, until all is counted anew.
      guard let before = reservation.before ?? allotment?.size else {
        bytes &+= reservation.bytes
        return
      }
      bytes &+= now
      give(before)
      if let allotment { allotment.size = allotment.size &+ now - min(before, allotment.size &+ now) }
    }
  }

  private func isAllocated(_ file: Int32, _ offset: UInt64, _ count: UInt64) throws(Errno) -> Bool {
    let (end, isTooLong) = offset.addingReportingOverflow(count)
    if isTooLong { return false }
    let status = try FileCalls.status(file)
    // Without a hole, or with room that fallocate(2) took for it.
    let size = Self.size(status.blocks)
    if bytes <= limit.bytes, status.length <= size, end <= Self.rounded(status.length) { return true }
    // SEEK_HOLE
    return ((try? FileCalls.seek(file, offset, whence: 4)) ?? 0) >= end
  }

  // MARK: With the lock held

  private func hasRoom(_ size: UInt64) -> Bool {
    let (sum, isTooLarge) = (bytes &+ reserved).addingReportingOverflow(size)
    return !isTooLarge && sum <= limit.bytes
  }

  private func end(_ reservation: Reservation) {
    reserved -= reservation.bytes
    reservedFiles -= reservation.files
  }

  private func give(_ size: UInt64) { bytes -= min(bytes, size) }

  // MARK: Sizes

  /// What hosts allocate.
  private static let unit: UInt64 = 4096

  private static func rounded(_ size: UInt64) -> UInt64 {
    size > .max - unit ? .max : (size + unit - 1) / unit * unit
  }

  private static func size(_ blocks: UInt64) -> UInt64 { blocks < .max >> 9 ? blocks << 9 : .max >> 1 }

  /// Counts what is there.
  private func count(_ root: Int32) throws(Errno) {
    // With a position of its own.
    let itself: [UInt8] = [UInt8(ascii: "."), 0]
    let top = try FileCalls.openBeneath(root, itself.span, OpenFlags.directory)
    var descent = DirectoryDescent(from: top.raw)
    var buffer = [UInt8](repeating: 0, count: 1 << 15)
    var linked: Set<[UInt64]> = []
    // Names of directories that are yet to be looked into, by level.
    var pending: [[[UInt8]]] = []
    while true {
      var directories: [[UInt8]] = []
      let directory = descent.current
      let isTop = descent.depth == 0
      _ = try FileCalls.eachName(directory, &buffer) { (name, _) throws(Errno) in
        if isTop, name == WorkDirectory.name { return true }
        guard let status = try? FileCalls.status(directory, name.span), !status.isWhiteout else { return true }
        files += 1
        if !status.isDirectory, status.links > 1, !linked.insert([status.device, status.inode]).inserted {
          return true
        }
        bytes &+= Self.size(status.blocks)
        if status.isDirectory { directories.append(name) }
        return true
      }
      pending.append(directories)
      // Into the next one, or up until there is one.
      while true {
        guard let name = pending[pending.count - 1].popLast() else {
          pending.removeLast()
          if pending.isEmpty { return }
          try descent.leave()
          continue
        }
        do throws(Errno) {
          try descent.enter(name.span)
          break
        } catch {
          // One that keeps its own user out holds what that user cannot count; what is gone is gone.
          guard error == .accessDenied || error == .notFound || error == .notDirectory else { throw error }
        }
      }
    }
  }
}

extension WriteAllowance {
  /// What is left of a file system for who may have no more than this.
  func shrink(_ reply: inout StatfsReply) {
    let (bytes, files) = usage
    let unit = UInt64(max(1, reply.fragmentSize))
    let left = (limit.bytes - min(bytes, limit.bytes)) / unit
    reply.blocks = min(reply.blocks, limit.bytes / unit)
    reply.blocksFree = min(reply.blocksFree, left)
    reply.blocksAvailable = min(reply.blocksAvailable, left)
    guard let most = limit.files else { return }
    // A file system that counts none has 0 of both.
    let isCounted = reply.files > 0
    let leftFiles = most - min(files, most)
    reply.files = isCounted ? min(reply.files, most) : most
    reply.filesFree = isCounted ? min(reply.filesFree, leftFiles) : leftFiles
  }
}

extension LayeredTree {
  /// Runs what may have a file of a write map take more, or less, room; for `withRoom`.
  func withAllowance<Result>(
    _ node: Node, _ file: SharedDescriptor, offset: UInt64, count: UInt64,
    _ body: () throws(Errno) -> Result
  ) throws(Errno) -> Result {
    guard let allowance = node.writeLayer?.allowance else { return try body() }
    let reservation = try allowance.reserve(node, file.raw, offset: offset, count: count)
    defer { allowance.settle(reservation, node, file.raw) }
    return try body()
  }

  /// Runs what makes something new in a directory.
  func withRoomForName(
    in parent: Node, _ body: () throws(Errno) -> (entry: Entry, file: SharedDescriptor?)
  ) throws(Errno) -> (entry: Entry, file: SharedDescriptor?) {
    guard let allowance = parent.writeLayer?.allowance else { return try body() }
    let reservation = try allowance.reserve(bytes: 1)
    do throws(Errno) {
      let made = try body()
      allowance.settle(reservation, names: 1, made.entry.node, blocks: made.entry.status.blocks)
      return made
    } catch {
      allowance.settle(reservation)
      throw error
    }
  }

  /// Takes what removes a name out of the count, which it returns for when it is done.
  ///
  /// - Returns: nil where nothing is counted, or the name is in a layer below alone.
  func status(ofLeaving node: Node, _ base: SharedDescriptor, _ name: [UInt8]) -> FileStatus? {
    guard node.writeLayer?.allowance != nil, node.isUpper else { return nil }
    return try? FileCalls.status(base.raw, name.span)
  }
}
