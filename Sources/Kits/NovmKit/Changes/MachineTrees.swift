import Changes
import FileSystem
import Host
import Packs
import Store

/// The layers of a kept machine and what it wrote over them, looked at from the host.
package struct MachineTrees {
  private let reads: [LayerMap]
  private let hides: [Path]
  private let written: [WrittenTree]
  private let comparesOwners: Bool
  /// Host paths of layers that are novm's own.
  private let fixed: [[UInt8]]
  private let held: [HeldPack]

  /// - Parameters:
  ///   - kernel: what the machine boots; nil if it is not there any more.
  ///   - packs: the store with the machine's.
  package init(_ record: MachineRecord, kernel: KernelFiles?, packs: PackStore) throws(NovmError) {
    guard let definition = MachineDefinition(record) else { throw .machineDefinition("\(record.path)/machine.json") }
    let request = try MachineRequest(definition.machine, directory: [UInt8(ascii: "/")])
    held = try HeldPack.hold(request.packs, in: packs)
    // Volumes and shares are not the machine's alone.
    let volumes = request.volumes.indices.map { "\(record.path)/no-volume-\($0)" }
    let machine = request.compose(
      kernel: kernel ?? KernelFiles(name: "", release: "", image: ""), scratch: "\(record.path)/root",
      volumes: volumes, packs: held.map(\.pack.tree))
    reads = machine.reads.map { LayerMap(guestPath: Path($0.guest), hostPath: Path($0.host), isPack: $0.isPack) }
    hides = machine.hides.map { Path($0) }
    let apart = Set(volumes.map { Array($0.utf8) })
    written = machine.writes.filter { !apart.contains($0.host) }.map { WrittenTree(guest: $0.guest, host: $0.host) }
    comparesOwners = machine.users.isEmpty && machine.groups.isEmpty
    fixed = kernel?.modules.map { [Array($0.utf8)] } ?? []
  }

  /// What the machine changed.
  ///
  /// - Parameter paths: of the guest: only these and what is below them; all if there are none.
  package func changes(_ paths: [[UInt8]] = []) throws(NovmError) -> ChangeSet {
    do {
      return try ChangeSet(
        reads: reads, hides: hides, written: written, comparesOwners: comparesOwners, paths: paths)
    } catch {
      throw .changes(error)
    }
  }

  /// What to tell of changes that are not among them; nil if all are.
  package static func remark(on changes: ChangeSet) -> String? {
    changes.tooDeep.first.map {
      "warning: \(String(printable: Array($0.prefix(60))))...: what has a path of more than 4,095 bytes is left out"
    }
  }

  /// Brings changes back to the directories of the host.
  ///
  /// - Parameters:
  ///   - baseline: what was changed there after this moment is not touched, unless `overwriting`.
  ///   - progress: called with each change before it is applied.
  package func apply(
    _ changes: ChangeSet, since baseline: FileTime, overwriting: Bool, progress: (Change) -> Void
  ) throws(NovmError) {
    do {
      try ChangeApplication(changes, since: baseline, overwrites: overwriting, fixed: fixed).run(progress: progress)
    } catch {
      throw .changes(error)
    }
  }

  /// What the machine wrote to its `/`, as files of the host; the write map that covers it.
  package var rootWrites: [UInt8]? { written.first { $0.guest == [UInt8(ascii: "/")] }?.host }
}
