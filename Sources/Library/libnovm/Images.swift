// The names are those of C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CNovm
import Novm
import NovmKit

/// What a caller gives that is told what goes on.
private func teller(
  _ progress: novm_progress?, _ context: UnsafeMutableRawPointer?
) -> (String) -> Bool {
  { line in
    guard let progress else { return true }
    return ByteString.printable(line).withCString { progress(context, $0) } == 0
  }
}

private func optional(_ pointer: UnsafePointer<CChar>?, _ name: String) throws(Failure) -> String? {
  pointer == nil ? nil : try text(pointer, name)
}

@c @implementation
public func novm_store_images(
  _ store: novm_handle, _ list: UnsafeMutablePointer<novm_handle>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(list, "list")
    result.pointee = Handles.all.add(RowList(try Handles.all.value(store, StoreHandle.self).store.images()))
  }
}

@c @implementation
public func novm_store_remove_image(
  _ store: novm_handle, _ name: UnsafePointer<CChar>?, _ flags: UInt32, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let isSet = try isSet(flags)
    try Handles.all.value(store, StoreHandle.self).store.removeImage(text(name, "name"), all: isSet)
  }
}

@c @implementation
public func novm_store_pull_image(
  _ store: novm_handle, _ name: UnsafePointer<CChar>?, _ timeout: Int64, _ progress: novm_progress?,
  _ context: UnsafeMutableRawPointer?, _ list: UnsafeMutablePointer<novm_handle>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(list, "list")
    let store = try Handles.all.value(store, StoreHandle.self).store
    let image = try store.pull(
      text(name, "name"), patience: patience(timeout), progress: teller(progress, context))
    result.pointee = Handles.all.add(RowList([image]))
  }
}

@c @implementation
public func novm_store_import_pack(
  _ store: novm_handle, _ archive: UnsafePointer<CChar>?, _ name: UnsafePointer<CChar>?,
  _ digest: UnsafePointer<CChar>?, _ flags: UInt32, _ timeout: Int64, _ progress: novm_progress?,
  _ context: UnsafeMutableRawPointer?, _ list: UnsafeMutablePointer<novm_handle>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(list, "list")
    let isSet = try isSet(flags)
    let store = try Handles.all.value(store, StoreHandle.self).store
    let pack = try store.importPack(
      bytes(archive, "archive"), name: optional(name, "name"), digest: optional(digest, "digest"),
      replacing: isSet, patience: patience(timeout), progress: teller(progress, context))
    result.pointee = Handles.all.add(RowList([pack]))
  }
}

@c @implementation
public func novm_machine_commit_image(
  _ machine: novm_handle, _ name: UnsafePointer<CChar>?, _ author: UnsafePointer<CChar>?,
  _ message: UnsafePointer<CChar>?, _ list: UnsafeMutablePointer<novm_handle>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(list, "list")
    let image = try libnovm.machine(machine).commit(
      toImage: optional(name, "name"), author: optional(author, "author"), message: optional(message, "message"))
    result.pointee = Handles.all.add(RowList([image]))
  }
}
