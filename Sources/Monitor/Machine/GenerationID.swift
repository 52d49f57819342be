import Boot
import GuestMemory
import Host

/// The 16 bytes by which a guest knows its machine from a copy (Microsoft, "Virtual Machine Generation ID").
enum GenerationID {
  static func make() -> [UInt8] { RandomBytes.make(16) }

  /// Gives the guest that is in memory another one. It looks once it is told.
  static func renew(in memory: GuestMemory) throws(MachineError) {
    do { try memory.write(make(), at: LowMemory.generation) } catch {
      throw .boot(.cannotWrite(address: LowMemory.generation))
    }
  }

  static func tell(_ board: Board) { InterruptInput(board.vm, line: Platform.generationInterrupt).raise() }
}
