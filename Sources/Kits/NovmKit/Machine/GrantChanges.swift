import Egress
import Glibc
import Host
import Store

/// What is to become of the list of what a machine reaches, while it runs and for each start of it.
package struct GrantChanges {
  package var allow: [String]
  package var deny: [String]
  /// Off the list.
  package var remove: [String]

  package init(allow: [String], deny: [String], remove: [String]) {
    self.allow = allow
    self.deny = deny
    self.remove = remove
  }

  package var isEmpty: Bool { allow.isEmpty && deny.isEmpty && remove.isEmpty }

  /// One after the other: what the machine has been told is what is written down, wherever it ends.
  package func make(of record: MachineRecord) throws(NovmError) {
    let turn = try Self.turn(record)
    defer { _ = turn.raw }
    guard var definition = MachineDefinition(record) else {
      throw .machineDefinition("\(record.path)/\(MachineDefinition.file)")
    }
    let control = MonitorControl(record)
    for (change, grants) in [(GrantList.Change.allow, allow), (.deny, deny), (.remove, remove)] {
      for grant in grants {
        try definition.machine.make(change, grant)
        try control?.make(change, grant)
        do throws(StoreError) {
          try record.write(definition.json, to: MachineDefinition.file)
        } catch {
          throw .store(error)
        }
      }
    }
  }

  /// Held from before the definition is read until it is written, or one of two who change it at once would lose its grants.
  private static func turn(_ record: MachineRecord) throws(NovmError) -> FileDescriptor {
    do throws(Errno) {
      let directory = try FileDescriptor.open(record.path, O_RDONLY | O_DIRECTORY)
      let number = directory.raw
      try retryingInterrupts { flock(number, LOCK_EX) }
      return directory
    } catch {
      throw .system(doing: "lock", path: record.path, error)
    }
  }
}

extension MachineSettings {
  package mutating func make(_ change: GrantList.Change, _ text: String) throws(NovmError) {
    let wasClosed = net.isClosed || !allow.isEmpty
    switch change {
    case .allow: if !allow.contains(text) { allow.append(text) }
    case .deny: if !deny.contains(text) { deny.append(text) }
    case .remove:
      let grant = Grant(Array(text.utf8))
      func isMeant(_ other: String) -> Bool {
        other == text || grant != nil && Grant(Array(other.utf8)) == grant
      }
      let count = allow.count + deny.count
      allow.removeAll(where: isMeant)
      deny.removeAll(where: isMeant)
      guard allow.count + deny.count < count else {
        throw .refused(ByteString.printable(text), "it is not on the list")
      }
      // What is allowed last closes the list, and it does not open when that goes.
      if wasClosed, allow.isEmpty { net = net.closing }
    }
    _ = try MachineRequest(self, directory: [UInt8(ascii: "/")])
  }
}
