// The names are those of C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CNovm
import Novm

final class StoreHandle: Sendable {
  let store: Store
  init(_ store: Store) { self.store = store }
}

@c @implementation
public func novm_store_open(
  _ root: UnsafePointer<CChar>?, _ programs: UnsafePointer<CChar>?, _ store: UnsafeMutablePointer<novm_handle>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(store, "store")
    let opened = try Store(
      root: root == nil ? nil : try text(root, "root"), programs: programs == nil ? nil : try text(programs, "programs")
    )
    result.pointee = Handles.all.add(StoreHandle(opened))
  }
}

/// Gives a list of what a store has.
private func list(
  _ store: novm_handle, _ list: UnsafeMutablePointer<novm_handle>?, _ error: UnsafeMutablePointer<novm_error>?,
  _ body: (Store) throws(Failure) -> RowList
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(list, "list")
    result.pointee = Handles.all.add(try body(Handles.all.value(store, StoreHandle.self).store))
  }
}

@c @implementation
public func novm_store_kernels(
  _ store: novm_handle, _ list: UnsafeMutablePointer<novm_handle>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  libnovm.list(store, list, error) { (store) throws(Failure) in RowList(try store.kernels()) }
}

@c @implementation
public func novm_store_packs(
  _ store: novm_handle, _ list: UnsafeMutablePointer<novm_handle>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  libnovm.list(store, list, error) { (store) throws(Failure) in RowList(try store.packs()) }
}

@c @implementation
public func novm_store_machines(
  _ store: novm_handle, _ list: UnsafeMutablePointer<novm_handle>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  libnovm.list(store, list, error) { (store) throws(Failure) in
    var rows: [RowList.Row] = []
    for machine in try store.list() {
      rows.append([
        ("id", Array(machine.identifier.utf8)), ("name", Array(machine.name.utf8)),
        ("state", Array(try machine.state.name.utf8)),
      ])
    }
    return RowList(rows)
  }
}

@c @implementation
public func novm_store_remove_kernel(
  _ store: novm_handle, _ name: UnsafePointer<CChar>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    try Handles.all.value(store, StoreHandle.self).store.removeKernel(text(name, "name"))
  }
}

@c @implementation
public func novm_store_remove_pack(
  _ store: novm_handle, _ name: UnsafePointer<CChar>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    try Handles.all.value(store, StoreHandle.self).store.removePack(text(name, "name"))
  }
}
