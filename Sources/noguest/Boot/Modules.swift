import CGuest

/// The kernel modules that the initramfs brings (docs/architecture.md, "A kernel bundle").
enum Modules {
  /// The first is in every initramfs, the others are in parts that come with a device.
  private static let lists: [Bytes] = ["/modules.order", "/modules.network"]

  /// Loads what the lists name, in that order, and frees the memory that the files took.
  static func load() {
    for list in lists { load(list) }
  }

  private static func load(_ list: Bytes) {
    // A kernel with everything built in comes without the list.
    let order = (try? Files.contents(list)) ?? []
    for name in order.parts(at: UInt8(ascii: "\n")) where !name.isEmpty {
      let path = "/modules/" + name
      do throws(SystemError) {
        let file = try Descriptor.open(path, O_RDONLY)
        try check(unsafe Bytes().withCString { unsafe cguest_finit_module(file.number, $0, 0) })
      } catch {
        // Loaded or built in already.
        if error != .exists { Log.error("cannot load the module " + name + ": " + error.text) }
      }
      Files.remove(path)
    }
    Files.remove(list)
  }
}
