// The names are those of C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CNovm
import Host
import Novm
import NovmKit

@c @implementation
public func novm_machine_publish(
  _ machine: novm_handle, _ port: UnsafePointer<CChar>?, _ publication: UnsafeMutablePointer<novm_handle>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(publication, "publication")
    let port = ByteString.string(try bytes(port, "port"))
    result.pointee = Handles.all.add(try libnovm.machine(machine).publish(port))
  }
}

@c @implementation
public func novm_machine_commit(
  _ machine: novm_handle, _ name: UnsafePointer<CChar>?, _ flags: UInt32, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let isSet = try isSet(flags)
    _ = try libnovm.machine(machine).commit(to: text(name, "name"), replacing: isSet)
  }
}

@c @implementation
public func novm_store_import_kernel(
  _ store: novm_handle, _ source: UnsafePointer<CChar>?, _ modules: UnsafePointer<CChar>?,
  _ name: UnsafePointer<CChar>?,
  _ progress: (@convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?) -> Void)?,
  _ context: UnsafeMutableRawPointer?, _ list: UnsafeMutablePointer<novm_handle>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(list, "list")
    let store = try Handles.all.value(store, StoreHandle.self).store
    let modules = modules == nil ? nil : ByteString.string(try bytes(modules, "modules"))
    let name = name == nil ? nil : try text(name, "name")
    var origin = Store.KernelOrigin.runningSystem
    if source != nil {
      let path = ByteString.string(try bytes(source, "source"))
      if path.hasSuffix(".deb"), modules != nil {
        throw Failure(.argument, "modules: are those of an image; a package has its own", about: "modules")
      }
      origin = path.hasSuffix(".deb") ? .packages([path]) : .image(path, modules: modules)
    } else if modules != nil {
      throw Failure(.argument, "modules: are those of an image, and there is none", about: "modules")
    }
    let kernel = try store.importKernel(origin, name: name) { line in
      line.withCString { progress?(context, $0) }
    }
    result.pointee = Handles.all.add(RowList([kernel]))
  }
}
