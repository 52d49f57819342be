import Boot
import Devices
import Host
import KVM

/// Boots the kernel of a machine's description.
package final class KernelBoot: MachineStart {
  private var description = MachineDescription()
  private var loader: KernelLoader?
  /// Where the guest's kernel lies; drawn by `begin`.
  package private(set) var randomisation = KernelRandomisation.off

  package init() {}

  package func begin(
    _ description: MachineDescription, _ ram: GuestRAM, _ map: MemoryMap
  ) throws(MachineError) {
    self.description = description
    let loader = try KernelLoader(description, ram, map)
    randomisation = loader.randomisation
    self.loader = loader
  }

  package func finish(_ machine: Machine) throws(MachineError) {
    guard let entry = try loader?.finish(machine.map, options(machine)) else { return }
    loader = nil
    do throws(KVMError) { try machine.vcpus[0].enter(entry) } catch { throw .kvm(error) }
  }

  private func options(_ machine: Machine) -> BootPlan.Options {
    var options = BootPlan.Options()
    options.commandLine = CommandLine(bytes: description.commandLine)
    options.seed = RandomBytes.make(64)
    options.generation = GenerationID.make()
    options.generationInterrupt = Platform.generationInterrupt
    let apicIDs = description.processors.apicIDs
    switch description.discovery {
    case .acpi:
      var platform = machine.board.platform(apicIDs: apicIDs)
      platform.affinity = description.nodes.map { Affinity($0, description.processors, machine.map) }
      options.acpi = platform
    case .commandLine:
      options.mp = MPPlatform(apicIDs: apicIDs, power: Platform.power)
      // Before the rest: what follows a word of two hyphens is for init.
      var devices = machine.board.arguments
      devices.append(options.commandLine)
      options.commandLine = devices
    }
    return options
  }
}
