import Store

extension MachineRequest {
  /// Opens the volumes that have names: before there is a machine, since another one may have them.
  ///
  /// - Parameter directory: that of all volumes.
  /// - Returns: one each, nil for the machine's own.
  func namedVolumes(in directory: String) throws(StoreError) -> [Volume?] {
    var opened: [Volume?] = []
    for volume in volumes { opened.append(try volume.isOwn ? nil : Volume(volume.name, in: directory)) }
    return opened
  }

  /// Opens the others, too.
  ///
  /// - Parameter machine: has its own, numbered by their places among all.
  func allVolumes(_ named: [Volume?], in machine: MachineDirectory) throws(NovmError) -> [Volume] {
    var opened: [Volume] = []
    do throws(StoreError) {
      for (place, volume) in named.enumerated() {
        if let volume { opened.append(volume) } else { opened.append(try Volume(String(place), in: machine.volumes)) }
      }
    } catch {
      throw .store(error)
    }
    return opened
  }
}
