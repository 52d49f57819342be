import CGuest

/// The kernel modules that the initramfs brings (docs/architecture.md, "A kernel bundle").
enum Modules {
  /// The first is in every initramfs, the others are in parts that come with a device.
  private static let lists: [Bytes] = [
    "/modules.order", "/modules.pci", "/modules.network", "/modules.balloon", "/modules.disk", "/modules.ext4",
  ]

  /// Loads what the lists name, in that order, and frees the memory that the files took.
  static func load(_ arguments: KernelArguments) {
    for list in lists { load(list, arguments) }
  }

  private static func load(_ list: Bytes, _ arguments: KernelArguments) {
    // A kernel with everything built in comes without the list.
    let order = (try? Files.contents(list)) ?? []
    for name in order.parts(at: UInt8(ascii: "\n")) where !name.isEmpty {
      let path = "/modules/" + name
      do throws(SystemError) {
        let file = try Descriptor.open(path, O_RDONLY)
        let parameters = arguments.parameters(ofModule: Self.module(ofFile: name))
        try check(unsafe parameters.withCString { unsafe cguest_finit_module(file.number, $0, 0) })
      } catch {
        // Loaded or built in already.
        if error != .exists { Log.error("cannot load the module " + name + ": " + error.text) }
      }
      Files.remove(path)
    }
    Files.remove(list)
  }

  /// The name without `.ko`.
  private static func module(ofFile name: Bytes) -> Bytes {
    name.suffix(3) == (".ko" as Bytes)[...] ? Bytes(name.dropLast(3)) : name
  }
}
