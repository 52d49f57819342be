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
    /// How much of it there was of the file when it was mapped, up to a whole page.
    var filled = 0
  }

  /// How often pages were mended. Read without a lock: who sees an old number only tries once more.
  private let mends = Atomic<Int>(0)

  init(_ window: FileWindow) {
    self.window = window
    ranges = [Mapping?](repeating: nil, count: window.count / MappedRanges.rangeSize)
  }

  /// Where in the window a request's range is; it must be one whole or the first part of one.
  private func index(_ offset: UInt64, _ count: UInt64) throws(Errno) -> Int {
    guard count > 0, count <= MappedRanges.rangeSize, count % 4096 == 0, offset % UInt64(MappedRanges.rangeSize) == 0,
      offset / UInt64(MappedRanges.rangeSize) < UInt64(ranges.count)
    else { throw .invalid }
    return Int(offset / UInt64(MappedRanges.rangeSize))
  }

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
    let length = try FileCalls.status(file.raw).length
    try window.show(
      file.raw, from: mapping.fileOffset, at: index * MappedRanges.rangeSize, count: mapping.count,
      isWritable: mapping.isWritable)
    var mapping = mapping
    mapping.filled = length <= mapping.fileOffset ? 0 : min(mapping.count, Int(length - mapping.fileOffset))
    ranges[index] = mapping
  }

  // MARK: Mending

  /// A number for `mend`, to be taken before the guest touches the window.
  var mendCount: Int { mends.load(ordering: .acquiring) }

  /// A vCPU could not reach something: where the host has shortened a file that the guest has mapped, or cannot read it, there
  /// are zeros from now on, until that piece is mapped anew.
  ///
  /// What was behind the end of its file from the beginning stays out of reach, since the file may yet grow there.
  ///
  /// - Parameter seen: `mendCount` from before the vCPU ran.
  /// - Returns: whether anything was, since then, so that it is worth trying again.
  func mend(after seen: Int) -> Bool {
    lock.withLock {
      if mends.load(ordering: .relaxed) != seen { return true }
      var mended = false
      for index in ranges.indices {
        guard let mapping = ranges[index], mapping.filled > 0 else { continue }
        let isMended = try? window.mend(
          at: index * MappedRanges.rangeSize, count: mapping.filled, isWritable: mapping.isWritable)
        if isMended == true { mended = true }
      }
      if mended { mends.add(1, ordering: .releasing) }
      return mended
    }
  }

  /// Takes a range away again.
  func unmap(at offset: UInt64, count: UInt64) throws(Errno) {
    let index = try index(offset, count)
    try lock.withLock { () throws(Errno) in
      try window.hide(at: index * MappedRanges.rangeSize, count: MappedRanges.rangeSize)
      ranges[index] = nil
    }
  }

  func unmapAll() {
    lock.withLock {
      guard ranges.contains(where: { $0 != nil }) else { return }
      try? window.hide(at: 0, count: window.count)
      for index in ranges.indices { ranges[index] = nil }
    }
  }

  /// Shows a node's ranges from another file. The namespace lock is held for writing.
  ///
  /// - Parameter open: the file, opened only if there are any.
  func move(_ node: Node, to open: () throws(Errno) -> FileDescriptor) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      guard ranges.contains(where: { $0?.node === node }) else { return }
      let file = SharedDescriptor(try open())
      for index in ranges.indices {
        if let mapping = ranges[index], mapping.node === node { try show(mapping, file, at: index) }
      }
    }
  }
}
