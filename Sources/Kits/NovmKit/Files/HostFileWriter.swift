import AgentProtocol
import Glibc
import Host

/// Makes the files of a transfer on the host, by the rules of ``FilePlacement``.
///
/// Everything is made beneath one open directory, and no symbolic link in it is followed (openat2(2)): whatever a guest
/// sends, nothing is written anywhere else. A file appears under its name once it is complete. Set-id bits are left out, and
/// devices are refused: both would be a guest's way to the host.
package final class HostFileWriter: FileSink {
  private let destination: [UInt8]
  private let endsInSlash: Bool
  private let keepsOwners: Bool
  /// The directory that everything is made beneath.
  private var root: FileDescriptor?
  /// The first record's path, and what takes its place.
  private var renamed: (from: [UInt8], to: [UInt8])?
  private var hasBegun = false

  /// The directory of the last file, by its path below the root.
  private var parent: FileDescriptor?
  private var parentPath: [UInt8]?
  /// The file that is being written: without a name until it is complete, or with one of its own where the file system has no
  /// files without (O_TMPFILE).
  private var file: FileDescriptor?
  private var place: Place?
  /// Made here, with what they are to be once nothing more is put into them.
  private var directories: [(path: [UInt8], record: FileRecord)] = []

  private struct Place {
    var record: FileRecord
    /// With its NUL.
    var name: [UInt8]
    /// What has it until it has its own, with its NUL; nil while it has none.
    var temporary: [UInt8]?
  }

  /// - Parameter path: the host's, which is not made but for its last name.
  package init(_ path: [UInt8], keepsOwners: Bool) {
    var path = path
    endsInSlash = path.last == Self.slash
    while path.count > 1, path.last == Self.slash { path.removeLast() }
    destination = path
    self.keepsOwners = keepsOwners
  }

  /// Removes what is not complete.
  deinit { discard() }

  private static let slash = UInt8(ascii: "/")

  package func begin(_ record: FileRecord) throws(NovmError) {
    try complete()
    if !hasBegun { try open(for: record) }
    let path = try path(of: record)
    do throws(Errno) {
      try make(record, path)
    } catch {
      throw .system(doing: "write", path: shown(record.path), error)
    }
  }

  package func write(_ data: ArraySlice<UInt8>) throws(NovmError) {
    do throws(Errno) {
      try file?.writeAll(Array(data))
    } catch {
      throw .system(doing: "write", path: shown(place?.record.path ?? []), error)
    }
  }

  package func end() throws(NovmError) {
    try complete()
    for (path, record) in directories.reversed() {
      do throws(Errno) {
        let name = path + [0]
        let directory =
          path.isEmpty ? try duplicateRoot() : try FileCalls.openBeneath(rootNumber, name.span, OpenFlags.directoryPath)
        try setAttributes(directory.raw, FileCalls.itself, record)
      } catch {
        throw .system(doing: "write", path: shown(record.path), error)
      }
    }
  }

  // MARK: Places

  private func shown(_ path: [UInt8]) -> String {
    String(printable: destination + (path.isEmpty || renamed != nil ? [] : [Self.slash] + path))
  }

  private func open(for first: FileRecord) throws(NovmError) {
    let existing = Self.kind(destination)
    let placement = FilePlacement(first, at: existing, endsInSlash: endsInSlash)
    do throws(Errno) {
      switch placement {
      case .refused: throw first.kind == .directory ? .notDirectory : existing == .nothing ? .notFound : .notDirectory
      case .below:
        if existing == .nothing { try makeDirectory(destination) }
        root = try FileDescriptor.open(Path(destination), OpenFlags.directoryPath)
      case .renamed:
        let start = (destination.lastIndex(of: Self.slash) ?? -1) + 1
        let directory = start == 0 ? Array(".".utf8) : Array(destination[..<start])
        renamed = (first.path, Array(destination[start...]))
        root = try FileDescriptor.open(Path(directory), OpenFlags.directoryPath)
      }
    } catch {
      throw .system(doing: "write", path: String(printable: destination), error)
    }
    hasBegun = true
  }

  private func makeDirectory(_ path: [UInt8]) throws(Errno) {
    let name = path + [0]
    try FileCalls.makeDirectory(AT_FDCWD, name.span, mode: 0o755)
  }

  /// What is there, symbolic links followed.
  private static func kind(_ path: [UInt8]) -> FilePlacement.Destination {
    guard let file = try? FileDescriptor.open(Path(path), OpenFlags.path),
      let status = try? FileCalls.status(file.raw)
    else { return .nothing }
    return status.isDirectory ? .directory : .other
  }

  private var rootNumber: Int32 { root?.raw ?? -1 }

  private func duplicateRoot() throws(Errno) -> FileDescriptor {
    let itself: [UInt8] = Array(".".utf8) + [0]
    return try FileCalls.openBeneath(rootNumber, itself.span, OpenFlags.directoryPath)
  }

  /// Where a record goes, below the root.
  private func path(of record: FileRecord) throws(NovmError) -> [UInt8] {
    guard let renamed else { return record.path }
    // All that comes after the first lies below it; else it would be beside the destination.
    guard record.path == renamed.from || record.path.starts(with: renamed.from + [Self.slash]) else {
      throw .protocolViolation(.malformedRecord)
    }
    return renamed.to + record.path.dropFirst(renamed.from.count)
  }

  /// Opens the directory that a path's last name is in; gives that name with its NUL.
  private func enter(_ path: [UInt8]) throws(Errno) -> [UInt8] {
    let start = (path.lastIndex(of: Self.slash) ?? -1) + 1
    let directory = Array(path[..<max(0, start - 1)])
    if parentPath != directory {
      let name = (directory.isEmpty ? Array(".".utf8) : directory) + [0]
      parentPath = nil
      parent = try FileCalls.openBeneath(rootNumber, name.span, OpenFlags.directoryPath)
      parentPath = directory
    }
    return Array(path[start...]) + [0]
  }

  // MARK: Making

  private func make(_ record: FileRecord, _ path: [UInt8]) throws(Errno) {
    if record.kind == .directory { return try makeDirectory(record, path) }
    if path.isEmpty { throw .isDirectory }
    let name = try enter(path)
    let directory = parent?.raw ?? -1
    switch record.kind {
    case .file: try makeFile(record, directory, name)
    case .symlink, .fifo:
      // What is whole as it is made needs no other name, unless something has this one.
      do throws(Errno) {
        try makeSpecial(record, directory, name)
      } catch {
        guard error == .exists else { throw error }
        let temporary = Self.temporaryName()
        try makeSpecial(record, directory, temporary)
        place = Place(record: record, name: name, temporary: temporary)
        return try install()
      }
      try setAttributes(ofSpecial: record, directory, name)
    case .directory, .end, .characterDevice, .blockDevice, .link:
      throw .notPermitted
    }
  }

  private func makeFile(_ record: FileRecord, _ directory: Int32, _ name: [UInt8]) throws(Errno) {
    do throws(Errno) {
      let itself = Array(".".utf8) + [0]
      file = try FileCalls.openBeneath(directory, itself.span, OpenFlags.temporary, mode: 0o600)
      place = Place(record: record, name: name)
    } catch {
      guard error == .notSupported || error == .isDirectory || error == .notFound else { throw error }
      let temporary = Self.temporaryName()
      file = try FileCalls.openBeneath(directory, temporary.span, OpenFlags.createExclusively, mode: 0o600)
      place = Place(record: record, name: name, temporary: temporary)
    }
  }

  private func makeSpecial(_ record: FileRecord, _ directory: Int32, _ name: [UInt8]) throws(Errno) {
    if record.kind == .symlink {
      try FileCalls.makeSymlink(directory, name.span, target: record.target + [0])
    } else {
      try FileCalls.makeNode(directory, name.span, mode: FileType.fifo | 0o600, major: 0, minor: 0)
    }
  }

  private static func temporaryName() -> [UInt8] {
    Array(".novm-cp.\(String(UInt64.random(in: .min ... .max), radix: 36))".utf8) + [0]
  }

  private func makeDirectory(_ record: FileRecord, _ path: [UInt8]) throws(Errno) {
    // The root itself is there, and what it is like is not the transfer's to say.
    if path.isEmpty { return }
    let name = try enter(path)
    do throws(Errno) {
      try FileCalls.makeDirectory(parent?.raw ?? -1, name.span, mode: 0o700)
    } catch {
      guard error == .exists else { throw error }
      // It must be a directory, and not by a link.
      _ = try FileCalls.openBeneath(parent?.raw ?? -1, name.span, OpenFlags.directoryPath)
    }
    directories.append((path, record))
  }

  private func complete() throws(NovmError) {
    guard file != nil, let place else { return }
    do throws(Errno) {
      try install()
    } catch {
      throw .system(doing: "write", path: shown(place.record.path), error)
    }
  }

  /// Gives what was made its attributes and then its name. What already has that name goes with a rename, for which it takes another
  /// one: all that a process that is killed can leave behind is that, whole, in the moment between.
  private func install() throws(Errno) {
    guard let place else { return }
    let directory = parent?.raw ?? -1
    do throws(Errno) {
      if let number = file?.raw {
        try setAttributes(number, FileCalls.itself, place.record)
        if place.temporary == nil, try nameFile(number, directory, place.name) {
          file = nil
          self.place = nil
          return
        }
      } else if let temporary = place.temporary {
        try setAttributes(ofSpecial: place.record, directory, temporary)
      }
      guard let temporary = self.place?.temporary else { return }
      try FileCalls.rename(directory, temporary.span, to: directory, place.name.span)
    } catch {
      discard()
      throw error
    }
    file = nil
    self.place = nil
  }

  /// - Returns: false where it has got a name to be renamed from, for something has this one.
  private func nameFile(_ file: Int32, _ directory: Int32, _ name: [UInt8]) throws(Errno) -> Bool {
    let itself = FileCalls.itself
    do throws(Errno) {
      try FileCalls.link(file, itself.span, to: directory, name.span)
      return true
    } catch {
      guard error == .exists else { throw error }
    }
    let temporary = Self.temporaryName()
    try FileCalls.link(file, itself.span, to: directory, temporary.span)
    place?.temporary = temporary
    return false
  }

  private func discard() {
    guard let place else { return }
    if let temporary = place.temporary {
      try? FileCalls.remove(parent?.raw ?? -1, temporary.span, isDirectory: false)
    }
    file = nil
    self.place = nil
  }

  /// Of what was just made, and of nothing that somebody has put in its place.
  private func setAttributes(ofSpecial record: FileRecord, _ directory: Int32, _ name: [UInt8]) throws(Errno) {
    let made = try FileCalls.openBeneath(directory, name.span, OpenFlags.path)
    let status = try FileCalls.status(made.raw)
    let type = record.kind == .symlink ? FileType.symlink : FileType.fifo
    guard status.mode & FileType.mask == type, status.uid == FileCalls.effectiveUser, status.links == 1 else {
      throw .stale
    }
    try setAttributes(made.raw, FileCalls.itself, record)
  }

  private func setAttributes(_ directory: Int32, _ name: [UInt8], _ record: FileRecord) throws(Errno) {
    if keepsOwners { try FileCalls.changeOwner(directory, name.span, uid: record.uid, gid: record.gid) }
    if record.kind != .symlink {
      let sticky: UInt32 = record.kind == .directory ? 0o1000 : 0
      try FileCalls.changeMode(directory, name.span, record.mode & (0o777 | sticky))
    }
    let time = FileTime(seconds: record.seconds, nanoseconds: record.nanoseconds)
    try FileCalls.changeTimes(directory, name.span, accessed: .keep, modified: .set(time))
  }
}
