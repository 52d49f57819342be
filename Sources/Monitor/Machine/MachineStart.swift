import Boot

/// What a machine's memory and processors begin with: a kernel that is booted, or the state of another machine.
package protocol MachineStart: AnyObject {
  /// There is memory, and nothing else yet: what takes its time may begin.
  func begin(_ machine: MachineDescription, _ ram: GuestRAM, _ map: MemoryMap) throws(MachineError)

  /// The machine is whole, and nothing of it runs: gives it what it begins with.
  func finish(_ machine: Machine) throws(MachineError)
}
