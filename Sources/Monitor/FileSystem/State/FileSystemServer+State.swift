import FUSE
package import State

/// A session in a machine's state (docs/state-format.md, "Trees"). Nobody is served meanwhile.
extension FileSystemServer {
  /// - Throws: `removedFiles`, for what only a descriptor leads to and cannot be copied.
  package func save(to fields: inout FieldWriter) throws(StateError) {
    fields.put(TreeField.isMounted, settings.isMounted)
    guard settings.isMounted else { return }
    // What has come of the guest's writes has the times that it knows. The successor counts from these.
    tree.files.restoreTimes()
    fields.put(TreeField.minor, settings.minor)
    fields.put(TreeField.flags, settings.flags.rawValue)
    fields.put(TreeField.isStateless, settings.isStateless)
    let moments = Moments(tree)
    tree.saveShape(to: &fields, moments)
    try tree.saveNodes(to: &fields, moments)
  }

  /// Makes a session, of which there is none yet, what it was.
  ///
  /// - Throws: for a tree of other maps, what is none, and a file in the guest's window that is not what it was.
  package func restore(from fields: inout FieldReader) throws(StateError) {
    guard try fields.flag(TreeField.isMounted, absent: false) else { return }
    settings.minor = try fields.number(TreeField.minor, in: FUSE.oldestMinorVersion...FUSE.minorVersion)
    settings.isStateless = try fields.flag(TreeField.isStateless)
    settings.flags = InitFlags(rawValue: try fields.number(TreeField.flags))
    // What this tree would not agree to the other one had no reason to, if it was as this one is.
    guard settings.flags.isSubset(of: offered(isStateless: settings.isStateless)),
      tree.isPrivate || !settings.isStateless
    else { throw fields.fault(TreeField.flags) }
    let devices = try tree.restoreShape(from: &fields)
    try tree.restoreNodes(from: &fields, devices, isStateless: settings.isStateless)
    settings.isMounted = true
  }
}
