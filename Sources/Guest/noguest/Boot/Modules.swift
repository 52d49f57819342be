import CGuest

/// The kernel modules that the initramfs brings (docs/architecture.md, "A kernel bundle").
enum Modules {
  /// The first is in every initramfs, the others are in parts that come with a device.
  private static let lists: [Bytes] = [
    "/modules.order", "/modules.pci", "/modules.network", "/modules.balloon", "/modules.disk", "/modules.ext4",
    "/modules.pmem",
  ]

  /// Loads what the lists name, in that order, and frees the memory that the files took.
  static func load(_ arguments: KernelArguments) {
    var takesUnsigned = true
    for list in lists { load(list, arguments, &takesUnsigned) }
  }

  private static func load(_ list: Bytes, _ arguments: KernelArguments, _ takesUnsigned: inout Bool) {
    // A kernel with everything built in comes without the list.
    let order = (try? Files.contents(list)) ?? []
    for name in order.parts(at: UInt8(ascii: "\n")) where !name.isEmpty {
      let path = "/modules/" + name
      do throws(SystemError) {
        try load(path, arguments.parameters(ofModule: Self.module(ofFile: name)), &takesUnsigned)
      } catch {
        // Loaded or built in already.
        if error != .exists { Log.error("cannot load the module " + name + ": " + error.text) }
      }
      Files.remove(path)
    }
    Files.remove(list)
  }

  /// Without its signature where the kernel takes that: to check it takes longer than all else that is done for a module,
  /// and the file comes from where the kernel comes from (docs/decisions/0026-modules-without-signatures.md).
  private static func load(_ path: Bytes, _ parameters: Bytes, _ takesUnsigned: inout Bool) throws(SystemError) {
    let file = try Descriptor.open(path, O_RDONLY)
    if takesUnsigned {
      do throws(SystemError) {
        if try ModuleImage(file).loadUnsigned(parameters) { return }
      } catch {
        if error == .exists { throw error }
        // It was told to enforce signatures, or looks at files in ways of its own.
        takesUnsigned = false
      }
    }
    try check(unsafe parameters.withCString { unsafe cguest_finit_module(file.number, $0, 0) })
  }

  /// The name without `.ko`.
  private static func module(ofFile name: Bytes) -> Bytes {
    name.suffix(3) == (".ko" as Bytes)[...] ? Bytes(name.dropLast(3)) : name
  }
}
