import Store

/// The places of a machine's virtio devices, by novmm's names for them (`--place`).
///
/// It is kept with the machine: whichever novm starts it, and whatever devices it was given since, the guest finds those that it
/// knows where they were. On a bus a card has its name from there (`enp7s0`).
package struct DeviceLayout: Codable, Equatable, Sendable {
  package static let file = "layout.json"

  package private(set) var places: [String: Int]

  /// - Parameter old: keeps the places of devices that are still there; others get the first that are free.
  package init(_ machine: MachineDescription, keeping old: DeviceLayout? = nil) {
    places = [:]
    let names = Self.names(of: machine)
    for name in names {
      guard let place = old?.places[name], (0..<machine.transport.places).contains(place),
        !places.values.contains(place)
      else { continue }
      places[name] = place
    }
    var next = 0
    for name in names where places[name] == nil {
      while places.values.contains(next) { next += 1 }
      places[name] = next
    }
  }

  /// What is kept of a machine; nil where nothing is, or nothing that is one.
  package init?(_ bytes: [UInt8]?) {
    guard let bytes, let layout: Self = StoredJSON.decode(bytes) else { return nil }
    self = layout
  }

  package var json: [UInt8] { StoredJSON.encode(self) }

  /// In the order in which novmm gives places that nobody names.
  private static func names(of machine: MachineDescription) -> [String] {
    let devices = machine.sharedTags.count
    let hasTree = !machine.reads.isEmpty || !machine.writes.isEmpty || machine.shares.contains { $0.tag == nil }
    var names = ["entropy"]
    if hasTree { names.append("tree") }
    names += (0..<devices).map { "share\($0)" }
    names.append("vsock")
    if machine.hasBalloon { names.append("balloon") }
    names += machine.disks.indices.map { "disk\($0)" }
    names += machine.mappedDisks.indices.map { "pmem\($0)" }
    names += machine.cards.indices.map { "card\($0)" }
    return names
  }

  /// For novmm.
  var arguments: [[UInt8]] {
    var arguments = ByteArguments()
    for (name, place) in places.sorted(by: { $0.value < $1.value }) { arguments.append("--place", "\(name)=\(place)") }
    return arguments.values
  }

  /// The layout of a machine that is about to start, kept for its next starts.
  static func kept(in directory: MachineDirectory, for machine: MachineDescription) throws(NovmError) -> DeviceLayout {
    let old = Self(directory.read(file))
    let layout = Self(machine, keeping: old)
    if layout != old {
      do { try directory.write(layout.json, to: file) } catch { throw .store(error) }
    }
    return layout
  }
}

extension DeviceTransport {
  /// How many devices have room.
  fileprivate var places: Int {
    switch self {
    case .mmio: 18
    case .pci: 32
    }
  }
}
