import Changes
import Glibc
import NovmKit

/// What became of a path of a machine's tree.
public struct Change: Equatable, Sendable {
  public enum Kind: String, Sendable {
    case added, changed, deleted
  }

  /// The guest's, absolute; as bytes.
  public let path: [UInt8]
  public let kind: Kind
  /// What it is now, or was if it is gone: `file`, `directory`, `symlink`, `fifo`, `socket`, `character device`, `block device`.
  public let file: String
  /// Of a file, in bytes.
  public let size: UInt64?
  /// What differs, of one that was changed: `kind`, `content`, `mode`, `owner`, `attributes`.
  public let parts: [String]
  /// Where a symbolic link leads, or led.
  public let target: [UInt8]?
}

/// What a machine wrote to its tree, compared with what it reads: at the moment when this was made.
///
/// Unchecked: it does not change.
public final class Changes: @unchecked Sendable {
  private let machine: ChangedMachine
  private let set: ChangeSet
  private let isAll: Bool

  /// In the order of paths, a directory before what is in it.
  public let list: [Change]

  init(_ machine: ChangedMachine, _ paths: [[UInt8]]) throws(NovmError) {
    self.machine = machine
    set = try machine.trees.changes(paths)
    isAll = paths.isEmpty
    list = set.changes.map { change in
      Change(
        path: change.path, kind: Change.Kind(rawValue: change.kind.rawValue) ?? .changed, file: change.file.rawValue,
        size: change.size, parts: change.kind == .changed ? change.parts.names : [], target: change.target)
    }
  }

  /// Brings them back to the directories of the host. The machine must not run; if they are all that there were, what it wrote
  /// is discarded.
  ///
  /// - Parameter overwriting: whether to replace what was changed on the host since, too.
  /// - Throws: ``Failure/Code/conflict`` if something is in the way: then nothing was applied.
  public func apply(overwriting: Bool = false) throws(Failure) {
    if set.changes.isEmpty { return }
    try told { () throws(NovmError) in try machine.apply(set, overwriting: overwriting, isAll: isAll) }
  }

  /// Descriptors of a file as it was and as it is, the caller's to close; nil for a side that is no file.
  public func contents(of index: Int) throws(Failure) -> (before: Int32?, after: Int32?) {
    guard set.changes.indices.contains(index) else {
      throw Failure(.argument, "there is no change \(index)", about: "\(index)")
    }
    return try told(NovmError.changes) { () throws(ChangesError) in
      try set.contents(of: set.changes[index]) ?? (nil, nil)
    }
  }
}

extension Machine {
  /// What it changed. What a running machine has not written back yet is not shown; nor are volumes and shares.
  ///
  /// - Parameter paths: of the guest: only these and what is below them; all if there are none.
  public func changes(_ paths: [[UInt8]] = []) throws(Failure) -> Changes {
    for path in paths where path.first != UInt8(ascii: "/") || path.contains(0) {
      throw Failure(
        .argument, "'\(NovmError.text(path))': give an absolute path of the guest", about: NovmError.text(path))
    }
    let record = try current()
    return try told { () throws(NovmError) in try Changes(ChangedMachine(record, of: machines), paths) }
  }

  /// Removes what it wrote, and keeps the machine. It must not run.
  public func discardChanges() throws(Failure) {
    let record = try current()
    try told { () throws(NovmError) in try ChangedMachine(record, of: machines).discard() }
  }
}
