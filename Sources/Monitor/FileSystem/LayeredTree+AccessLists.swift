import Host

/// Access control lists. As root the host's file system keeps them and does what they ask for when something is made in a
/// directory that has a default one; where owners are recorded, lists are too, and it is done here.
extension LayeredTree {
  /// What the default access list of a directory does to something made in it.
  struct Inheritance {
    /// What was asked for, less what the list or the umask takes off.
    var mode: UInt32
    /// The host makes permissions of the mode and the list.
    var isByHost = false
    /// What is to be recorded.
    var access: [UInt8]?
    var defaults: [UInt8]?
  }

  /// - Parameters:
  ///   - directory: in the write map.
  ///   - mode: what the guest asks for.
  func inheritance(
    _ object: NewObject, from directory: SharedDescriptor, mode: UInt32, umask: UInt32
  ) throws(Errno) -> Inheritance {
    let plain = Inheritance(mode: mode & ~umask)
    if case .symlink = object { return plain }
    guard keepsAccessLists else { return plain }
    let itself = FileCalls.itself
    if ownership == .real {
      let isByHost = FileCalls.hasAttribute(directory.raw, itself.span, MarkName.defaultACL)
      return isByHost ? Inheritance(mode: mode, isByHost: true) : plain
    }
    guard let bytes = try FileCalls.attribute(directory.raw, itself.span, MarkName.overrideDefaultACL),
      let list = AccessList(parsing: bytes)
    else { return plain }
    let inherited = list.inherited(mode: mode)
    return Inheritance(
      mode: mode & ~0o777 | inherited.permissions, access: inherited.isMinimal ? nil : inherited.bytes,
      defaults: object.isDirectory ? bytes : nil)
  }

  /// Records the lists of something new.
  func record(_ inheritance: Inheritance, _ place: Place) throws(Errno) {
    if let access = inheritance.access {
      try FileCalls.setAttribute(place.base.raw, place.name.span, MarkName.overrideAccessACL, access)
    }
    if let defaults = inheritance.defaults {
      try FileCalls.setAttribute(place.base.raw, place.name.span, MarkName.overrideDefaultACL, defaults)
    }
  }

  /// Records a list that the guest gives a file. Permissions become what the list says.
  func setAccessList(
    _ place: Place, in layer: Layer, _ host: FileStatus, isDefault: Bool, _ value: [UInt8], killSetgid: Bool
  ) throws(Errno) {
    guard let list = AccessList(parsing: value) else { throw .invalid }
    if isDefault {
      guard host.isDirectory else { throw .accessDenied }
      return try FileCalls.setAttribute(place.base.raw, place.name.span, MarkName.overrideDefaultACL, value)
    }
    if !list.isMinimal {
      try FileCalls.setAttribute(place.base.raw, place.name.span, MarkName.overrideAccessACL, value)
    }
    var current = host
    decodeOwner(&current, place)
    var wanted = OverrideStat(current)
    wanted.mode = wanted.mode & ~0o777 | list.permissions
    if killSetgid { wanted.mode &= ~0o2000 }
    try setOwner(place, host: host, wanted: wanted, in: layer)
    if list.isMinimal { try removeAccessList(place) }
  }

  private func removeAccessList(_ place: Place) throws(Errno) {
    do throws(Errno) {
      try FileCalls.removeAttribute(place.base.raw, place.name.span, MarkName.overrideAccessACL)
    } catch {
      guard error == .noData || error == .notSupported else { throw error }
    }
  }

  /// Brings a recorded list in line with new permissions (chmod(2)).
  func changeAccessList(_ place: Place, mode: UInt32) throws(Errno) {
    guard let bytes = try FileCalls.attribute(place.base.raw, place.name.span, MarkName.overrideAccessACL),
      var list = AccessList(parsing: bytes), list.permissions != mode & 0o777
    else { return }
    list.permissions = mode & 0o777
    try FileCalls.setAttribute(place.base.raw, place.name.span, MarkName.overrideAccessACL, list.bytes)
  }
}
