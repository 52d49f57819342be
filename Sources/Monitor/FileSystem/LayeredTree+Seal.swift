import Host

/// Seals of files whose privileges are recorded (`FileCalls.setSeal`): what the guest itself writes breaks none, as on a file system
/// where its root has CAP_FSETID; that it has a capability no more is seen to elsewhere.
extension LayeredTree {
  /// To be called with what is recorded by then, for a file that the guest knows.
  func seal(_ node: Node, _ place: Place) throws(Errno) {
    node.maySeal()
    try FileCalls.setSeal(place.base.raw, place.name.span)
  }

  /// Before a capability is recorded: set-id bits that hold no more are not to hold again.
  func dropBrokenRecords(_ place: Place, in layer: Layer) throws(Errno) {
    guard !FileCalls.isSealed(place.base.raw, place.name.span) else { return }
    let host = try FileCalls.status(place.base.raw, place.name.span)
    guard host.isRegular, host.mode & OverrideStat.standsBeside != 0 else { return }
    var current = host
    decodeOwner(&current, place)
    try setOwner(place, host: host, wanted: OverrideStat(current), in: layer)
  }

  /// The same before set-id bits are. What the host itself has set the seal takes the place of, and so is recorded.
  func dropBrokenCapability(_ place: Place) {
    guard !FileCalls.isSealed(place.base.raw, place.name.span) else { return }
    if let value = try? FileCalls.attribute(place.base.raw, place.name.span, MarkName.capability) {
      try? FileCalls.setAttribute(place.base.raw, place.name.span, MarkName.privilegedCapability, value)
    } else {
      try? FileCalls.removeAttribute(place.base.raw, place.name.span, MarkName.privilegedCapability)
    }
  }

  /// No set-id bits are recorded any more.
  func unseal(_ place: Place) {
    guard FileCalls.isSealed(place.base.raw, place.name.span),
      !FileCalls.hasAttribute(place.base.raw, place.name.span, MarkName.privilegedCapability)
    else { return }
    try? FileCalls.removeAttribute(place.base.raw, place.name.span, MarkName.capability)
  }

  /// Runs what looks at a file's seal, or breaks it and sets it again: one at a time, or one would find broken what another is about
  /// to mend. The lock is not recursive.
  func withSeal<Result>(_ node: Node, _ body: () throws(Errno) -> Result) throws(Errno) -> Result {
    guard node.mayBeSealed else { return try body() }
    return try seals.withLock { () throws(Errno) -> Result in try body() }
  }

  /// Runs what may have a file of a write map take more, or less, room, and changes what is in it.
  ///
  /// - Parameter killPrivileges: it is somebody without CAP_FSETID who does so (`clearPrivileges`).
  func withRoom<Result>(
    _ node: Node, _ file: SharedDescriptor, offset: UInt64 = 0, count: UInt64, killPrivileges: Bool = false,
    _ body: () throws(Errno) -> Result
  ) throws(Errno) -> Result {
    let place = Place(base: file, name: FileCalls.itself)
    guard node.mayBeSealed else {
      if killPrivileges { try clearPrivileges(place, of: node) }
      return try withAllowance(node, file, offset: offset, count: count, body)
    }
    return try seals.withLock { () throws(Errno) -> Result in
      if killPrivileges { try clearPrivileges(place, of: node) }
      let isSealed = FileCalls.isSealed(file.raw, place.name.span)
      defer { if isSealed { try? FileCalls.setSeal(file.raw, place.name.span) } }
      return try withAllowance(node, file, offset: offset, count: count, body)
    }
  }
}
