import CLinux
import Glibc
import Host

/// The directories of machines: one for each, named by its identifier.
///
///     MACHINES/.lock        held while a machine's directory is made, or stale ones are looked for
///     MACHINES/ID/lock      locked (flock(2)) by `novm` and `novmm` for as long as either lives
///     MACHINES/ID/name      what people call it, if they gave it a name
///     MACHINES/ID/runtime   a symbolic link to where the machine's sockets are
///     MACHINES/ID/machine.json, state.json, log, log.1   NovmKit's: what it is, how it fares, what its command wrote
///     MACHINES/ID/root      what the guest writes, unless it writes elsewhere
///     MACHINES/ID/keep      there when the directory outlives its processes
///     MACHINES/.gone-ID     on its way out
///
/// Nothing needs a daemon: the lock is released by the kernel however its holders end, so a directory that nobody has
/// locked and nobody asked to keep is left over, and the next command removes it.
package struct MachineStore: Sendable {
  package let directory: String
  /// Where sockets go, a directory for each machine.
  package let runtime: String

  package init(directory: String, runtime: String) {
    self.directory = directory
    self.runtime = runtime
  }

  /// Makes a machine's directory and locks it.
  ///
  /// - Parameters:
  ///   - name: nobody else's.
  ///   - definition: what to keep as `machine.json`.
  ///   - isKept: whether the directory outlives its processes.
  package func create(
    name: String? = nil, definition: [UInt8]? = nil, isKept: Bool = false
  ) throws(StoreError) -> MachineDirectory {
    try Directories.make(directory, mode: 0o700)
    try makeRuntime()
    let guardian = try lockStore()
    defer { _ = guardian.raw }
    if let name { try requireFree(name) }
    while true {
      let identifier = Self.newIdentifier()
      let path = "\(directory)/\(identifier)"
      guard unsafe mkdir(path, 0o700) == 0 else {
        if Errno.current == Errno(EEXIST) { continue }
        throw .system(operation: .create, path: path, .current)
      }
      return try MachineDirectory(
        identifier: identifier, name: name, path: path, runtime: "\(runtime)/\(identifier)", definition: definition,
        isKept: isKept)
    }
  }

  /// All machines, in no order.
  package func list() throws(StoreError) -> [MachineRecord] {
    guard unsafe access(directory, F_OK) == 0 else { return [] }
    let guardian = try lockStore()
    defer { _ = guardian.raw }
    return try records()
  }

  /// The machine of this name, identifier, or beginning of just one identifier.
  package func find(_ reference: String) throws(StoreError) -> MachineRecord {
    let all = try list()
    if let named = all.first(where: { $0.name == reference || $0.identifier == reference }) { return named }
    let beginning = reference.isEmpty ? [] : all.filter { $0.identifier.hasPrefix(reference) }
    switch beginning.count {
    case 0: throw .noMachine(reference, known: all.map(\.name))
    case 1: return beginning[0]
    default: throw .ambiguous(reference, count: beginning.count)
    }
  }

  /// Locks a machine that does not run.
  ///
  /// - Throws: ``StoreError/machineRuns(_:)`` if it does.
  package func open(_ record: MachineRecord) throws(StoreError) -> MachineDirectory {
    try makeRuntime()
    let guardian = try lockStore()
    defer { _ = guardian.raw }
    guard !MachineDirectory.isAlive(record.path) else { throw .machineRuns(record.name) }
    return try MachineDirectory(opening: record, runtime: "\(runtime)/\(record.identifier)")
  }

  /// Whether one of a machine's processes lives, now.
  package func isAlive(_ record: MachineRecord) throws(StoreError) -> Bool {
    let guardian = try lockStore()
    defer { _ = guardian.raw }
    return MachineDirectory.isAlive(record.path)
  }

  /// A machine as it is now; nil if it is gone.
  package func renewed(_ record: MachineRecord) throws(StoreError) -> MachineRecord? {
    let guardian = try lockStore()
    defer { _ = guardian.raw }
    guard unsafe access(record.path, F_OK) == 0 else { return nil }
    return Self.record(at: record.path, identifier: record.identifier)
  }

  /// Gives a machine another name, whether it runs or not.
  package func rename(_ record: MachineRecord, to name: String) throws(StoreError) {
    let guardian = try lockStore()
    defer { _ = guardian.raw }
    try requireFree(name)
    try Directories.replace("\(record.path)/name", with: Array(name.utf8))
  }

  private func requireFree(_ name: String) throws(StoreError) {
    guard Self.isName(name) else { throw .machineName(name) }
    if try records().contains(where: { $0.name == name || $0.identifier == name }) { throw .nameTaken(name) }
  }

  /// Letters, digits, `_`, `.` and `-`, not first one of the last two: 1 to 64.
  package static func isName(_ name: String) -> Bool {
    guard (1...64).contains(name.utf8.count), let first = name.utf8.first, isNameByte(first) else { return false }
    return name.utf8.allSatisfy { isNameByte($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// With the store's lock held, so that probing a machine's lock keeps nobody from taking it.
  private func records() throws(StoreError) -> [MachineRecord] {
    try Directories.names(directory).filter { !$0.hasPrefix(".") }.map { identifier in
      Self.record(at: "\(directory)/\(identifier)", identifier: identifier)
    }
  }

  private static func record(at path: String, identifier: String) -> MachineRecord {
    let name = Directories.read("\(path)/name").map { String(decoding: $0, as: UTF8.self) }
    return MachineRecord(
      identifier: identifier, name: name ?? identifier, path: path,
      runtime: Directories.linkTarget("\(path)/runtime"), isAlive: MachineDirectory.isAlive(path))
  }

  private func makeRuntime() throws(StoreError) {
    try Directories.make(runtime, mode: 0o700)
    try Directories.requirePrivate(runtime)
  }

  /// Removes what machines left behind whose processes were killed.
  ///
  /// - Returns: the identifiers of the machines that are gone.
  @discardableResult
  package func removeStale() throws(StoreError) -> [String] {
    guard unsafe access(directory, F_OK) == 0 else { return [] }
    var stale: [String] = []
    do {
      let guardian = try lockStore()
      defer { _ = guardian.raw }
      for name in try Directories.names(directory) where !name.hasPrefix(".") {
        let path = "\(directory)/\(name)"
        if unsafe access("\(path)/\(Self.keepName)", F_OK) == 0 || MachineDirectory.isAlive(path) { continue }
        guard unsafe Glibc.rename(path, "\(directory)/\(Self.gonePrefix)\(name)") == 0 else {
          // Its own machine may have removed it since it was listed.
          if Errno.current == Errno(ENOENT) { continue }
          throw .system(operation: .rename, path: path, .current)
        }
        stale.append(name)
      }
    }
    // The slow part is done without the lock: two commands may well remove the same tree together.
    for name in try Directories.names(directory) where name.hasPrefix(Self.gonePrefix) {
      try MachineDirectory.removeTree("\(directory)/\(name)", identifier: String(name.dropFirst(Self.gonePrefix.count)))
    }
    return stale
  }

  static let gonePrefix = ".gone-"
  static let keepName = "keep"

  /// Serialises making and sweeping, so that a directory is never seen before it is locked.
  private func lockStore() throws(StoreError) -> FileDescriptor {
    let path = "\(directory)/.lock"
    do throws(Errno) {
      return try FileDescriptor.lockFile(path, LOCK_EX)
    } catch {
      throw .system(operation: .lock, path: path, error)
    }
  }

  /// Twelve hexadecimal digits, as `docker ps` shows.
  private static func newIdentifier() -> String {
    let digits = String(UInt64.random(in: 0..<1 << 48), radix: 16)
    return String(repeating: "0", count: 12 - digits.count) + digits
  }
}
