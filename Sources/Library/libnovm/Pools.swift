// The names are those of C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CNovm
import Novm

@c @implementation
public func novm_pool_open(
  _ store: novm_handle, _ description: novm_handle, _ size: UInt32, _ pool: UnsafeMutablePointer<novm_handle>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(pool, "pool")
    let description = try Handles.all.value(description, DescriptionHandle.self).description
    let store = try Handles.all.value(store, StoreHandle.self).store
    result.pointee = Handles.all.add(try Pool(store, description, size: Int(size)))
  }
}

@c @implementation
public func novm_pool_take(
  _ pool: novm_handle, _ timeout: Int64, _ machine: UnsafeMutablePointer<novm_handle>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(machine, "machine")
    let taken = try Handles.all.value(pool, Pool.self).take(patience(timeout))
    result.pointee = Handles.all.add(MachineHandle(taken))
  }
}

@c @implementation
public func novm_pool_give(
  _ pool: novm_handle, _ machine: novm_handle, _ flags: UInt32, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let isSet = try isSet(flags)
    try Handles.all.value(pool, Pool.self).give(libnovm.machine(machine), isReused: isSet)
    try Handles.all.remove(machine)
  }
}
