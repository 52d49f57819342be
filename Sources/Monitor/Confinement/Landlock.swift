import CLinux
package import Host

/// Which files a process can open, make, remove and rename: landlock(7). It asks for no privilege.
///
/// It is no part of it to look at, change owners, modes, times and attributes of files, or to connect to sockets by path.
package struct Landlock: ~Copyable {
  package struct Access: OptionSet, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    static let execute = Access(rawValue: 1 << 0)
    static let writeFile = Access(rawValue: 1 << 1)
    package static let readFile = Access(rawValue: 1 << 2)
    static let readDirectory = Access(rawValue: 1 << 3)
    /// Removing and making files of each kind.
    static let names = Access(rawValue: 0x1ff0)
    /// Renaming and linking from one directory to another: version 2.
    static let refer = Access(rawValue: 1 << 13)
    /// Version 3.
    static let truncate = Access(rawValue: 1 << 14)
    /// Requests to devices: version 5.
    static let deviceRequests = Access(rawValue: 1 << 15)

    package static let removing = Access(rawValue: 1 << 5)
    package static let reading: Access = [.readFile, .readDirectory]
    /// For what is a file, and no directory.
    package static let ofFile: Access = [.readFile, .writeFile, .truncate]
    package static let writing: Access = [.readFile, .readDirectory, .writeFile, .names, .refer, .truncate]
  }

  /// Of the host's; 0 where it has none, or it is switched off.
  package static var version: Int { Int(max(0, clinux_landlock_version())) }

  /// The first forbids to rename a file from one directory to another.
  package static let leastVersion = 2

  private let ruleset: FileDescriptor
  private let handled: Access

  /// Takes away everything that this version knows; `allow` gives back.
  ///
  /// - Parameter forbidsNetwork: TCP, version 4, and abstract sockets and signals of other processes, version 6.
  /// - Throws: EOPNOTSUPP where the host has none that is new enough.
  package init(forbidsNetwork: Bool = true) throws(Errno) {
    let version = Self.version
    guard version >= Self.leastVersion else { throw .notSupported }
    var handled: Access = [.execute, .writeFile, .readFile, .readDirectory, .names, .refer]
    if version >= 3 { handled.insert(.truncate) }
    if version >= 5 { handled.insert(.deviceRequests) }
    var description = clinux_landlock_ruleset()
    description.files = handled.rawValue
    if version >= 4, forbidsNetwork { description.network = 3 }
    if version >= 6, forbidsNetwork { description.scoped = 3 }
    let number = try checked(unsafe clinux_landlock_create(&description))
    self.handled = handled
    ruleset = FileDescriptor(owning: number)
  }

  /// What may be done in a directory and below.
  ///
  /// - Parameter directory: open, perhaps by O_PATH. For a file no more than `Access.ofFile`.
  package func allow(_ access: Access, beneath directory: Int32) throws(Errno) {
    try checked(
      clinux_landlock_allow(ruleset.raw, directory, access.intersection(handled).rawValue))
  }

  /// For the calling thread and all that it starts, for good; what is open already stays so.
  ///
  /// The process must have renounced privileges before (``ProcessPrivileges/renounce()``).
  package consuming func apply() throws(Errno) { try checked(clinux_landlock_restrict(ruleset.raw)) }
}
