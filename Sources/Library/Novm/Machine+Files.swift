import AgentProtocol
import NovmKit

/// Files of a machine that runs, as its guest sees them. Paths are bytes.
extension Machine {
  /// Copies a file or directory of the host's into the guest, by the rules of `docker cp`; all is root's there.
  public func copyIn(_ host: [UInt8], to guest: [UInt8], patience: Duration = .forever) throws(Failure) {
    try Self.check(host, guest)
    let copy = try copy(patience)
    try told { () throws(NovmError) in
      try copy.write(HostFiles(host, followsLink: false), to: guest, keepsOwners: false)
    }
  }

  /// Copies a file or directory of the guest's to the host. Set-id bits are left out, and devices are refused.
  public func copyOut(_ guest: [UInt8], to host: [UInt8], patience: Duration = .forever) throws(Failure) {
    try Self.check(host, guest)
    let copy = try copy(patience)
    try told { () throws(NovmError) in
      try copy.read(guest, followsLink: false, into: HostFileWriter(host, keepsOwners: false))
    }
  }

  /// Writes a file of the guest's; one that is there is replaced at once and whole.
  ///
  /// - Parameter mode: permissions.
  public func write(
    _ data: [UInt8], to guest: [UInt8], mode: UInt32 = 0o644, patience: Duration = .forever
  ) throws(Failure) {
    try Self.check(guest)
    guard let name = guest.split(separator: UInt8(ascii: "/")).last.map(Array.init), guest.last != UInt8(ascii: "/"),
      name != Array(".".utf8), name != Array("..".utf8)
    else { throw Failure(.argument, "'\(NovmError.text(guest))' is no file's path", about: NovmError.text(guest)) }
    let copy = try copy(patience)
    try told { () throws(NovmError) in
      try copy.write(MemoryFile(name, data, mode: mode), to: guest, keepsOwners: false)
    }
  }

  /// Reads a file of the guest's, through symbolic links.
  ///
  /// - Parameter limit: bytes; a larger file is refused.
  public func read(_ guest: [UInt8], limit: Int = 64 << 20, patience: Duration = .forever) throws(Failure) -> [UInt8] {
    try Self.check(guest)
    let copy = try copy(patience)
    // A second one is of a directory.
    let files = FileCollector(sizeLimit: max(0, limit), countLimit: 1)
    do throws(NovmError) {
      try copy.read(guest, followsLink: true, into: files)
    } catch NovmError.excessFiles(.size) {
      throw Failure(.argument, "\(NovmError.text(guest)): larger than \(limit) bytes", about: NovmError.text(guest))
    } catch NovmError.excessFiles(.count) {
      throw Self.notAFile(guest)
    } catch {
      throw Failure(error)
    }
    guard let file = files.files.first, file.record.kind == .file else { throw Self.notAFile(guest) }
    return file.data
  }

  private static func notAFile(_ guest: [UInt8]) -> Failure {
    Failure(.argument, "\(NovmError.text(guest)): no regular file", about: NovmError.text(guest))
  }

  private func copy(_ patience: Duration) throws(Failure) -> FileCopy {
    let milliseconds = patience.milliseconds
    return FileCopy(
      vsock: try vsock(), takesSignals: false,
      within: milliseconds >= Int64(Int32.max) ? nil : UInt64(max(0, milliseconds)))
  }

  private static func check(_ paths: [UInt8]...) throws(Failure) {
    for path in paths where path.isEmpty || path.contains(0) {
      throw Failure(.argument, "'\(NovmError.text(path))' is no path", about: NovmError.text(path))
    }
  }
}
