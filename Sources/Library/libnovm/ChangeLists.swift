// The names are those of C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CNovm
import Novm

/// A list of changes that can be applied, too.
final class ChangesHandle: RowList, @unchecked Sendable {
  let changes: Changes

  init(_ changes: Changes) {
    self.changes = changes
    super.init(
      changes.list.map { change in
        [
          ("path", change.path), ("kind", Array(change.kind.rawValue.utf8)), ("file", Array(change.file.utf8)),
          ("size", change.size.map { Array("\($0)".utf8) }), ("target", change.target),
          ("differs", change.parts.isEmpty ? nil : Array(change.parts.joined(separator: ",").utf8)),
        ]
      })
  }
}

@c @implementation
public func novm_changes_open(
  _ machine: novm_handle, _ paths: UnsafePointer<UnsafePointer<CChar>?>?,
  _ changes: UnsafeMutablePointer<novm_handle>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(changes, "changes")
    let found = try libnovm.machine(machine).changes(words(paths, "paths"))
    result.pointee = Handles.all.add(ChangesHandle(found))
  }
}

@c @implementation
public func novm_changes_apply(
  _ changes: novm_handle, _ flags: UInt32, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let isSet = try isSet(flags)
    try Handles.all.value(changes, ChangesHandle.self).changes.apply(overwriting: isSet)
  }
}

@c @implementation
public func novm_changes_discard(_ machine: novm_handle, _ error: UnsafeMutablePointer<novm_error>?) -> novm_status {
  call(error) { () throws(Failure) in try libnovm.machine(machine).discardChanges() }
}
