import Boot
import GuestMemory
import Host
import KVM
import State

/// Begins a machine with the state of another one, of the same shape and with the same devices at the same places.
package final class StateRestore: MachineStart {
  private let path: Path
  private let isAnother: Bool
  private var reader: StateReader?

  /// - Parameters:
  ///   - path: of a ``StateFile``.
  ///   - isAnother: whether the guest is told that it is another machine, so that it draws other random numbers. A guest
  ///     without ACPI cannot be.
  package init(_ path: Path, isAnother: Bool) {
    self.path = path
    self.isAnother = isAnother
  }

  package func begin(_ description: MachineDescription, _ ram: GuestRAM, _ map: MemoryMap) throws(MachineError) {
    let file: StateFile
    do throws(Errno) { file = try StateFile(reading: path) } catch { throw .file(path: path, error) }
    let shape: MachineShape
    do throws(StateError) {
      let (stream, memory) = try file.read()
      var reader = try StateReader(stream)
      var fields = try reader.require(MachineShape.tag)
      shape = try MachineShape(from: &fields)
      try fields.finish()
      guard shape.memory == memory else { throw StateError.cutShort }
      self.reader = reader
    } catch {
      throw .state(path: path, error)
    }
    if let difference = shape.difference(from: MachineShape(description)) {
      throw .anotherShape(path: path, difference)
    }
    do throws(Errno) { try ram.replace(by: file.descriptor.raw) } catch { throw .file(path: path, error) }
    if isAnother, shape.hasACPI { try GenerationID.renew(in: ram.memory) }
  }

  package func finish(_ machine: Machine) throws(MachineError) {
    guard var reader else { return }
    self.reader = nil
    var states: [VCPUState] = []
    let chips: ChipState
    do throws(StateError) {
      for index in machine.vcpus.indices {
        var fields = try reader.require(VCPUState.tag, instance: UInt32(index))
        states.append(try VCPUState(from: &fields))
        try fields.finish()
      }
      var fields = try reader.require(ChipState.tag)
      chips = try ChipState(from: &fields)
      try fields.finish()
    } catch {
      throw .state(path: path, error)
    }
    do throws(KVMError) {
      try machine.vcpus.restore(states)
      try machine.vm.restore(chips)
    } catch {
      throw .kvm(error)
    }
    do throws(StateError) {
      try machine.board.restore(from: &reader)
      for part in machine.parts { try part.restore(from: &reader) }
      try reader.finish()
    } catch {
      throw .state(path: path, error)
    }
    do throws(KVMError) { try machine.vm.restoreClock(chips) } catch { throw .kvm(error) }
    machine.board.wake()
    // Before its first instruction, so that it is the first that its processors take.
    if machine.shape.hasACPI, isAnother { GenerationID.tell(machine.board) }
  }
}
