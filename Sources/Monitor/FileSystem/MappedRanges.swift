import Host
import Synchronization

/// What the guest has mapped into its DAX window: pieces of files, each at a range of 2 MiB as Linux's FUSE divides it.
///
/// A file that is copied up is shown anew, from its copy, wherever it was: what is written to the copy must be seen.
final class MappedRanges {
  static let rangeSize = 2 << 20

  let window: FileWindow
  private let lock = Lock()
  private var ranges: [Mapping?]

  private struct Mapping {
    let node: Node
    let fileOffset: UInt64
    let count: Int
    let isWritable: Bool
    /// How much of it there was of the file when it was mapped.
    var filled = 0
    /// Pages of it are zeros in place of what the file had.
    var isMended = false
    /// The file's number in `watch`.
    var watch: Int32?
  }

  /// Tells when a file was shortened. Without it, only accesses that fail do (`mend`).
  let watch: FileWatch?
  /// For each file of `watch`, how many ranges show it.
  private var watched: [Int32: Int] = [:]
  /// How often pages were mended. Read without a lock: who sees an old number only tries once more.
  private let mends = Atomic<Int>(0)

  init(_ window: FileWindow) {
    self.window = window
    watch = try? FileWatch()
    ranges = [Mapping?](repeating: nil, count: window.count / MappedRanges.rangeSize)
  }

  /// Where in the window a request's range is; it must be one whole or the first part of one.
  private func index(_ offset: UInt64, _ count: UInt64) throws(Errno) -> Int {
    guard count > 0, count <= MappedRanges.rangeSize, count % 4096 == 0, offset % UInt64(MappedRanges.rangeSize) == 0,
      offset / UInt64(MappedRanges.rangeSize) < UInt64(ranges.count)
    else { throw .invalid }
    return Int(offset / UInt64(MappedRanges.rangeSize))
  }

  /// What is mapped where.
  var contents: [(index: Int, node: Node, fileOffset: UInt64, count: Int, isWritable: Bool)] {
    lock.withLock {
      ranges.indices.compactMap { index in
        ranges[index].map { (index, $0.node, $0.fileOffset, $0.count, $0.isWritable) }
      }
    }
  }

  private func start(_ index: Int) -> Int { index * MappedRanges.rangeSize }

  /// Shows a piece of a node's file. The namespace lock is held, so that the file stays the node's.
  func map(
    _ node: Node, _ file: SharedDescriptor, fileOffset: UInt64, count: UInt64, isWritable: Bool, at offset: UInt64
  ) throws(Errno) {
    let index = try index(offset, count)
    guard fileOffset % 4096 == 0, fileOffset <= UInt64(Int64.max) - count else { throw .invalid }
    let mapping = Mapping(node: node, fileOffset: fileOffset, count: Int(count), isWritable: isWritable)
    try lock.withLock { () throws(Errno) in try show(mapping, file, at: index) }
  }

  private func show(_ mapping: Mapping, _ file: SharedDescriptor, at index: Int) throws(Errno) {
    var mapping = mapping
    // Watched before it is measured, so that nothing is missed.
    mapping.watch = try? watch?.add(file.raw)
    if let number = mapping.watch { watched[number, default: 0] += 1 }
    do throws(Errno) {
      mapping.filled = try MappedRanges.filled(mapping, file)
      try window.show(
        file.raw, from: mapping.fileOffset, at: start(index), count: mapping.count, isWritable: mapping.isWritable)
    } catch {
      unwatch(mapping)
      throw error
    }
    mapping.isMended = false
    forget(index)
    mapping.node.mappedCount += 1
    ranges[index] = mapping
  }

  private static func filled(_ mapping: Mapping, _ file: SharedDescriptor) throws(Errno) -> Int {
    let length = try FileCalls.status(file.raw).length
    return length <= mapping.fileOffset ? 0 : Int(min(UInt64(mapping.count), length - mapping.fileOffset))
  }

  private func forget(_ index: Int) {
    guard let mapping = ranges[index] else { return }
    ranges[index] = nil
    mapping.node.mappedCount -= 1
    unwatch(mapping)
  }

  private func unwatch(_ mapping: Mapping) {
    guard let number = mapping.watch, let count = watched[number] else { return }
    watched[number] = count == 1 ? nil : count - 1
    if count == 1 { watch?.remove(number) }
  }

  /// Takes a range away again.
  func unmap(at offset: UInt64, count: UInt64) throws(Errno) {
    let index = try index(offset, count)
    try lock.withLock { () throws(Errno) in
      try window.hide(at: start(index), count: MappedRanges.rangeSize)
      forget(index)
    }
  }

  func unmapAll() {
    lock.withLock {
      guard ranges.contains(where: { $0 != nil }) else { return }
      try? window.hide(at: 0, count: window.count)
      for index in ranges.indices { forget(index) }
    }
  }

  /// Shows a node's ranges from another file. The namespace lock is held for writing.
  ///
  /// - Parameter open: the file, opened only if there are any.
  func move(_ node: Node, to open: () throws(Errno) -> FileDescriptor) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      guard node.mappedCount > 0 else { return }
      let file = SharedDescriptor(try open())
      for index in ranges.indices {
        if let mapping = ranges[index], mapping.node === node { try show(mapping, file, at: index) }
      }
    }
  }

  // MARK: Mending
  //
  // Where a file was shortened by the host, an access through the window is a signal to a process, and nothing that KVM could
  // pass to a guest: KVM_RUN fails, or with asynchronous page faults (Linux 6.1) tries for ever. So zeros take the place of
  // what is gone, until that piece is mapped anew or the file grows again by the guest's own doing.
  //
  // What lies behind the end that a file had when it was mapped is no such loss: it may yet grow there.

  /// A number for `mend`, to be taken before the guest touches the window.
  var mendCount: Int { mends.load(ordering: .acquiring) }

  /// A vCPU could not reach something: a file was shortened, or its disk fails.
  ///
  /// - Parameter seen: `mendCount` from before the vCPU ran.
  /// - Returns: whether anything was mended since then, so that it is worth trying again.
  func mend(after seen: Int) -> Bool {
    lock.withLock {
      mends.load(ordering: .relaxed) != seen || mend { _ in true }
    }
  }

  /// Watched files were written to, or shortened.
  func mendShortened() {
    guard watch?.drain() == true else { return }
    lock.withLock {
      // The last page of a range is the first to go.
      let filled = ranges.indices.filter { (ranges[$0]?.filled ?? 0) > 0 }
      var cut: Set<Int> = []
      var next = 0
      while next < filled.count {
        next += window.readable(filled.count - next) {
          start(filled[next + $0]) + ranges[filled[next + $0]]!.filled - 1
        }
        guard next < filled.count else { break }
        cut.insert(filled[next])
        next += 1
      }
      if !cut.isEmpty { _ = mend { cut.contains($0) } }
    }
  }

  private func mend(_ isMeant: (Int) -> Bool) -> Bool {
    var mended = false
    for index in ranges.indices where isMeant(index) {
      guard let mapping = ranges[index], mapping.filled > 0 else { continue }
      let result = try? window.mend(at: start(index), count: mapping.filled, isWritable: mapping.isWritable)
      guard result == true else { continue }
      ranges[index]!.isMended = true
      mended = true
    }
    if mended { mends.add(1, ordering: .releasing) }
    return mended
  }

  /// The guest has given a file another length.
  func resized(_ node: Node, _ file: SharedDescriptor) {
    lock.withLock {
      guard node.mappedCount > 0 else { return }
      for index in ranges.indices {
        guard let mapping = ranges[index], mapping.node === node else { continue }
        if mapping.isMended { try? show(mapping, file, at: index) }
        ranges[index]!.filled = (try? MappedRanges.filled(mapping, file)) ?? 0
      }
    }
  }
}
