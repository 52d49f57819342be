import Host
import Images
import Store

extension StoreMachines {
  package var images: ImageStore { ImageStore(directory: "\(paths.root)/images", packs: packs) }

  /// The machines that have packs, by their descriptions.
  package func packUsers() -> ImageStore.PackUsers {
    guard let machines = try? list() else { return .init(users: [:], isWhole: false) }
    var users = ImageStore.PackUsers(users: [:], isWhole: true)
    for machine in machines {
      guard let definition = MachineDefinition(machine) else {
        users.isWhole = false
        continue
      }
      for pack in definition.machine.pack { users.users[pack] = machine.name }
    }
    return users
  }

  /// The image that a machine was made of, and of nothing else.
  package func imageBelow(_ record: MachineRecord) throws(NovmError) -> Image {
    guard let machine = MachineDefinition(record)?.machine, let id = machine.image else {
      throw .unfitImage(record.name, "was not made of an image; a pack can be made of what it wrote")
    }
    let image: Image
    do { image = try images.find(id) } catch { throw .image(error) }
    let request = try MachineRequest(machine, directory: [UInt8(ascii: "/")])
    let root = [UInt8(ascii: "/")]
    let others = request.reads.map(\.guest) + request.packs.dropFirst(image.packs.count).map(\.guest)
    if others.contains(root) || !request.hides.isEmpty {
      throw .unfitImage(
        record.name, "has more at its / than the image (--read, --pack, --hide), which an image of it would lack")
    }
    return image
  }
}
