// The names are those of C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CNovm
import Glibc
import Novm

/// A machine, and its names as C reads them.
final class MachineHandle: @unchecked Sendable {
  let machine: Machine
  let identifier: UnsafeMutablePointer<CChar>?
  let name: UnsafeMutablePointer<CChar>?

  init(_ machine: Machine) {
    self.machine = machine
    identifier = strdup(machine.identifier)
    name = strdup(machine.name)
  }

  deinit {
    free(identifier)
    free(name)
  }
}

/// The machine of a handle.
func machine(_ handle: novm_handle) throws(Failure) -> Machine {
  try Handles.all.value(handle, MachineHandle.self).machine
}

/// A structure that says its size.
func fill(_ result: UnsafeMutablePointer<novm_machine_state>, _ state: MachineState) throws(Failure) {
  guard result.pointee.size == MemoryLayout<novm_machine_state>.size else {
    throw Failure(.argument, "state: its size is not set", about: "state")
  }
  var value = novm_machine_state()
  value.size = result.pointee.size
  let kind: novm_state
  switch state {
  case .created: kind = NOVM_STATE_CREATED
  case .starting: kind = NOVM_STATE_STARTING
  case .running: kind = NOVM_STATE_RUNNING
  case .paused: kind = NOVM_STATE_PAUSED
  case .exited(let status):
    kind = NOVM_STATE_EXITED
    value.exit_status = status
  case .failed(let words):
    kind = NOVM_STATE_FAILED
    value.exit_status = 125
    withUnsafeMutableBytes(of: &value.message) { copy(words, to: $0) }
  case .killed: kind = NOVM_STATE_KILLED
  case .removed: kind = NOVM_STATE_REMOVED
  }
  value.state = Int32(kind.rawValue)
  result.pointee = value
}

@c @implementation
public func novm_machine_create(
  _ store: novm_handle, _ description: novm_handle, _ machine: UnsafeMutablePointer<novm_handle>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(machine, "machine")
    let description = try Handles.all.value(description, DescriptionHandle.self).description
    let made = try Handles.all.value(store, StoreHandle.self).store.create(description)
    result.pointee = Handles.all.add(MachineHandle(made))
  }
}

@c @implementation
public func novm_machine_find(
  _ store: novm_handle, _ reference: UnsafePointer<CChar>?, _ machine: UnsafeMutablePointer<novm_handle>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(machine, "machine")
    let found = try Handles.all.value(store, StoreHandle.self).store.machine(text(reference, "reference"))
    result.pointee = Handles.all.add(MachineHandle(found))
  }
}

@c @implementation
public func novm_machine_names(
  _ machine: novm_handle, _ identifier: UnsafeMutablePointer<UnsafePointer<CChar>?>?,
  _ name: UnsafeMutablePointer<UnsafePointer<CChar>?>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let handle = try Handles.all.value(machine, MachineHandle.self)
    identifier?.pointee = handle.identifier.map { UnsafePointer($0) }
    name?.pointee = handle.name.map { UnsafePointer($0) }
  }
}

@c @implementation
public func novm_machine_start(
  _ machine: novm_handle, _ flags: UInt32, _ timeout: Int64, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let isSet = try isSet(flags)
    try libnovm.machine(machine).start(isDetached: isSet, patience: patience(timeout))
  }
}

@c @implementation
public func novm_machine_state_get(
  _ machine: novm_handle, _ state: UnsafeMutablePointer<novm_machine_state>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in try fill(required(state, "state"), libnovm.machine(machine).state) }
}

@c @implementation
public func novm_machine_wait(
  _ machine: novm_handle, _ timeout: Int64, _ state: UnsafeMutablePointer<novm_machine_state>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let end = try libnovm.machine(machine).wait(patience(timeout))
    if let state { try fill(state, end) }
  }
}

@c @implementation
public func novm_machine_stop(
  _ machine: novm_handle, _ grace: Int64, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in try libnovm.machine(machine).stop(grace: patience(grace)) }
}

@c @implementation
public func novm_machine_kill(_ machine: novm_handle, _ error: UnsafeMutablePointer<novm_error>?) -> novm_status {
  call(error) { () throws(Failure) in try libnovm.machine(machine).kill() }
}

@c @implementation
public func novm_machine_remove(_ machine: novm_handle, _ error: UnsafeMutablePointer<novm_error>?) -> novm_status {
  call(error) { () throws(Failure) in try libnovm.machine(machine).remove() }
}

@c @implementation
public func novm_machine_pause(_ machine: novm_handle, _ error: UnsafeMutablePointer<novm_error>?) -> novm_status {
  call(error) { () throws(Failure) in try libnovm.machine(machine).pause() }
}

@c @implementation
public func novm_machine_resume(_ machine: novm_handle, _ error: UnsafeMutablePointer<novm_error>?) -> novm_status {
  call(error) { () throws(Failure) in try libnovm.machine(machine).resume() }
}

@c @implementation
public func novm_machine_descriptor(
  _ machine: novm_handle, _ descriptor: UnsafeMutablePointer<Int32>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(descriptor, "descriptor")
    result.pointee = try libnovm.machine(machine).endDescriptor()
  }
}

@c @implementation
public func novm_machine_usage(
  _ machine: novm_handle, _ list: UnsafeMutablePointer<novm_handle>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(list, "list")
    result.pointee = Handles.all.add(RowList(try libnovm.machine(machine).usage()))
  }
}

@c @implementation
public func novm_machine_connect(
  _ machine: novm_handle, _ port: UInt32, _ timeout: Int64, _ descriptor: UnsafeMutablePointer<Int32>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(descriptor, "descriptor")
    result.pointee = try libnovm.machine(machine).connect(to: port, patience: patience(timeout))
  }
}

// MARK: Events

extension Incident {
  fileprivate var kind: novm_incident {
    switch self {
    case .outOfMemory: NOVM_INCIDENT_MEMORY
    case .networkRefused: NOVM_INCIDENT_NETWORK
    }
  }
}

@c @implementation
public func novm_events_open(
  _ machine: novm_handle, _ events: UnsafeMutablePointer<novm_handle>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(events, "events")
    result.pointee = Handles.all.add(try libnovm.machine(machine).events())
  }
}

@c @implementation
public func novm_events_open_with(
  _ machine: novm_handle, _ flags: UInt32, _ events: UnsafeMutablePointer<novm_handle>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(events, "events")
    let isSet = try isSet(flags)
    result.pointee = Handles.all.add(try libnovm.machine(machine).events(incidents: isSet))
  }
}

@c @implementation
public func novm_events_next(
  _ events: novm_handle, _ timeout: Int64, _ state: UnsafeMutablePointer<novm_machine_state>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(state, "state")
    guard let next = try Handles.all.value(events, Events.self).nextEvent(patience(timeout)) else {
      throw Failure(.missing, "nothing more will become of the machine")
    }
    switch next {
    case .state(let state): try fill(result, state)
    case .incident(let incident):
      // It goes on.
      try fill(result, .running)
      result.pointee.incident = Int32(bitPattern: incident.kind.rawValue)
      withUnsafeMutableBytes(of: &result.pointee.message) { copy(incident.message, to: $0) }
    }
  }
}

@c @implementation
public func novm_events_descriptor(
  _ events: novm_handle, _ descriptor: UnsafeMutablePointer<Int32>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    try required(descriptor, "descriptor").pointee = try Handles.all.value(events, Events.self).descriptor
  }
}
