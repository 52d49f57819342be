import AgentProtocol
import CGuest

/// `receive FLAG PATH`: makes the files of the records on standard input, by the rules of ``FilePlacement``.
///
/// What is there under a file's name is replaced, unless one of the two is a directory.
final class FileReceiver {
  private let destination: Bytes
  private let endsInSlash: Bool
  private let keepsOwners: Bool
  private var placement: FilePlacement?
  /// The first record's path, which the destination stands for where it is renamed.
  private var renamed: Bytes = []
  private var file: Descriptor?
  private var last: (path: Bytes, record: FileRecord)?
  /// Made here, with what they are to be once nothing more is put into them.
  private var directories: [(path: Bytes, record: FileRecord, device: dev_t, inode: ino_t)] = []

  init(_ path: Bytes, keepsOwners: Bool) {
    var path = path
    endsInSlash = path.last == UInt8(ascii: "/")
    while path.count > 1, path.last == UInt8(ascii: "/") { path.removeLast() }
    destination = path
    self.keepsOwners = keepsOwners
  }

  func run() throws(BuiltIn.Trouble) {
    let input = Descriptor(owning: 0)
    // What is made has the mode that it is made with.
    umask(0)
    var decoder = FileStreamDecoder()
    var bytes: Bytes = []
    while !decoder.isAtEnd {
      bytes.removeAll(keepingCapacity: true)
      do throws(SystemError) {
        guard try input.read(into: &bytes) > 0 else { break }
      } catch {
        if error == .interrupted { continue }
        throw BuiltIn.Trouble("standard input", error)
      }
      var offset = 0
      while let piece = try next(&decoder, bytes, &offset) {
        switch piece {
        case .record(let record):
          try finishFile()
          try begin(record)
        case .data(let range): try write(Bytes(bytes[range]))
        case .end: try finishFile()
        }
      }
    }
    guard decoder.isAtEnd else { throw BuiltIn.Trouble(text: "the transfer was cut short") }
    for directory in directories.reversed() {
      do throws(SystemError) {
        let opened = try Descriptor.open(directory.path, O_RDONLY | O_DIRECTORY)
        let status = try Files.status(opened)
        // Who can write the directory that it is in may have put a link there since.
        guard status.st_dev == directory.device, status.st_ino == directory.inode else { throw SystemError(ESTALE) }
        try setAttributes(directory.path, directory.record, opened.number)
      } catch {
        throw BuiltIn.Trouble(directory.path, error)
      }
    }
  }

  private func next(
    _ decoder: inout FileStreamDecoder, _ bytes: Bytes, _ offset: inout Int
  ) throws(BuiltIn.Trouble) -> FileStreamDecoder.Piece? {
    do throws(FrameError) { return try decoder.next(bytes, from: &offset) } catch {
      throw BuiltIn.Trouble(text: "what the host sent is no record of a file")
    }
  }

  // MARK: Paths

  private func path(of record: Bytes) throws(BuiltIn.Trouble) -> Bytes {
    if placement == .renamed {
      // What comes after the first lies below it; else it would be beside the destination.
      guard record == renamed || record.starts(with: renamed + "/") else {
        throw BuiltIn.Trouble(text: "a record of another transfer")
      }
      return destination + record.dropFirst(renamed.count)
    }
    if record.isEmpty { return destination }
    return (destination == "/" ? "/" : destination + "/") + record
  }

  private func place(_ first: FileRecord) throws(BuiltIn.Trouble) {
    var status = stat()
    let isThere = unsafe destination.withCString { unsafe stat($0, &status) } == 0
    let placement = FilePlacement(
      first, at: !isThere ? .nothing : Files.isDirectory(destination) ? .directory : .other, endsInSlash: endsInSlash)
    guard placement != .refused else {
      throw BuiltIn.Trouble(
        text: destination + (first.kind == .directory ? ": is not a directory" : ": no such directory"))
    }
    renamed = first.path
    self.placement = placement
  }

  // MARK: Making

  private func begin(_ record: FileRecord) throws(BuiltIn.Trouble) {
    if placement == nil { try place(record) }
    let path = try path(of: record.path)
    do throws(SystemError) {
      do throws(SystemError) {
        try make(record, path)
      } catch {
        // An archive need not have the directories that its files are in.
        guard error == .noEntry, !record.path.isEmpty, placement == .below else { throw error }
        try makeParents(of: path)
        try make(record, path)
      }
    } catch {
      throw BuiltIn.Trouble(path, error)
    }
  }

  private func makeParents(of path: Bytes) throws(SystemError) {
    for index in (destination.count + 1)..<path.count where path[index] == UInt8(ascii: "/") {
      try Files.makeDirectory(Bytes(path[..<index]))
    }
  }

  private func make(_ record: FileRecord, _ path: Bytes) throws(SystemError) {
    switch record.kind {
    case .end: return
    case .directory:
      let isNew = !Files.isDirectory(path)
      try Files.makeDirectory(path, mode: 0o700)
      // The root of what is transferred may be anybody's directory; what is in it is the transfer's.
      let opened = try Descriptor.open(path, O_RDONLY | O_DIRECTORY | (isNew ? O_NOFOLLOW : 0))
      let status = try Files.status(opened)
      if isNew || !record.path.isEmpty { directories.append((path, record, status.st_dev, status.st_ino)) }
      return
    case .file:
      file = try open(path)
      last = (path, record)
      return
    case .symlink:
      try remove(path)
      try check(unsafe record.target.withCString { target in unsafe path.withCString { unsafe symlink(target, $0) } })
    case .link:
      try remove(path)
      // Of the same transfer, so below the destination too.
      let target = destination + "/" + record.target
      try check(unsafe target.withCString { target in unsafe path.withCString { unsafe link(target, $0) } })
      return
    case .fifo, .characterDevice, .blockDevice:
      try remove(path)
      let type = record.kind == .fifo ? S_IFIFO : record.kind == .characterDevice ? S_IFCHR : S_IFBLK
      try check(
        unsafe path.withCString {
          unsafe cguest_make_node($0, UInt32(type) | mode(of: record), record.major, record.minor)
        })
    }
    try setAttributes(path, record, -1)
  }

  /// A new file in the place of an old one; what is a mount point is written over instead.
  private func open(_ path: Bytes) throws(SystemError) -> Descriptor {
    do throws(SystemError) {
      try remove(path)
    } catch {
      guard error == SystemError(EBUSY) else { throw error }
      return try Descriptor.open(path, O_WRONLY | O_TRUNC | O_NOFOLLOW)
    }
    return try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
  }

  private func remove(_ path: Bytes) throws(SystemError) {
    do throws(SystemError) {
      try check(unsafe path.withCString { unsafe unlink($0) })
    } catch {
      if error != .noEntry { throw error }
    }
  }

  private func write(_ data: Bytes) throws(BuiltIn.Trouble) {
    var offset = 0
    do throws(SystemError) {
      while offset < data.count { offset += try file?.write(data, from: offset) ?? data.count }
    } catch {
      throw BuiltIn.Trouble(last?.path ?? destination, error)
    }
  }

  private func finishFile() throws(BuiltIn.Trouble) {
    guard let (path, record) = last else { return }
    last = nil
    do throws(SystemError) { try setAttributes(path, record, file?.number ?? -1) } catch {
      throw BuiltIn.Trouble(path, error)
    }
    file = nil
  }

  /// Of another owner, set-id bits would mean another user.
  private func mode(of record: FileRecord) -> UInt32 { keepsOwners ? record.mode : record.mode & 0o1777 }

  /// - Parameter file: open on it, for files and directories: by then another may have their name. Else -1.
  private func setAttributes(_ path: Bytes, _ record: FileRecord, _ file: Int32) throws(SystemError) {
    if keepsOwners {
      try check(
        file >= 0
          ? fchown(file, record.uid, record.gid)
          : unsafe path.withCString { unsafe lchown($0, record.uid, record.gid) })
    }
    if file >= 0 { try check(fchmod(file, mode(of: record))) }
    try check(
      unsafe path.withCString { unsafe cguest_set_modified(file, $0, record.seconds, Int(record.nanoseconds)) })
  }
}
