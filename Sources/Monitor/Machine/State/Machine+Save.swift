import Host
import KVM
import State

/// What keeps a machine's state from being written. The machine is as it was.
package enum SaveFailure: Error {
  /// It runs.
  case notQuiesced
  /// It is being written already.
  case busy
  case part(StateError)
  case kvm(KVMError)
  case file(Errno)
}

extension Machine {
  /// Writes the state of the machine, which is quiesced, to a file. On the loop's thread, which others go on to use meanwhile.
  ///
  /// - Parameters:
  ///   - file: a regular one, empty, open for writing anywhere in it. Whoever wants it to outlast the host syncs it afterwards.
  ///   - done: called on the loop's thread; with nil once all is written. Whoever has the machine resumed meanwhile waits for that.
  func save(to file: consuming FileDescriptor, _ done: @escaping (SaveFailure?) -> Void) {
    guard isQuiesced else { return done(.notQuiesced) }
    guard !quiescence.isWorking else { return done(.busy) }
    let number = file.release()
    var failure: SaveFailure?
    quiescence.work { [self] in
      do throws(SaveFailure) { try write(to: FileDescriptor(owning: number)) } catch { failure = error }
    } done: {
      done(failure)
    }
  }

  private func write(to descriptor: consuming FileDescriptor) throws(SaveFailure) {
    let file: StateFile
    do throws(Errno) { file = try StateFile(writing: descriptor) } catch { throw .file(error) }
    var state = StateWriter()
    state.add(MachineShape.tag, shape.save())
    do throws(KVMError) {
      for vcpu in vcpus { state.add(VCPUState.tag, instance: UInt32(vcpu.index), try vcpu.saved().save()) }
      state.add(ChipState.tag, try vm.savedChips().save())
    } catch {
      throw .kvm(error)
    }
    do throws(StateError) { try board.save(to: &state) } catch { throw .part(error) }
    for part in parts { part.save(to: &state) }
    let stream = state.finish()
    // Nobody would read it.
    guard stream.count <= StateFormat.sizeLimit else { throw .part(.tooLarge) }
    do throws(Errno) { try file.write(board.ram, stream) } catch { throw .file(error) }
  }
}
