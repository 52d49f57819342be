/// The first root of a machine: `/init` (noguest), and the modules that it loads in the order of `/modules.order`.
package struct Initramfs {
  private static let initName = "init"

  /// The archive for these modules, given by file name and decompressed.
  package static func archive(noguest: [UInt8], modules: [(fileName: String, image: [UInt8])]) -> [UInt8] {
    var archive = NewcArchive()
    // First, so that it can be compared and replaced without reading the rest.
    archive.add(file: initName, permissions: 0o755, noguest)
    for directory in ["dev", "proc", "sys", "root"] { archive.add(directory: directory) }
    // The kernel opens /dev/console for init before anything is mounted.
    archive.add(characterDevice: "dev/console", major: 5, minor: 1)
    archive.add(directory: "modules")
    for module in modules { archive.add(file: "modules/\(module.fileName)", module.image) }
    let order = modules.map { $0.fileName + "\n" }.joined()
    archive.add(file: "modules.order", Array(order.utf8))
    return archive.finished()
  }

  /// A further archive that the kernel unpacks over the first, and what of it `noguest` loads, in this order.
  package static func part(_ name: String, modules: [(fileName: String, image: [UInt8])]) -> [UInt8] {
    var archive = NewcArchive()
    for module in modules { archive.add(file: "modules/\(module.fileName)", module.image) }
    archive.add(file: "modules.\(name)", Array(modules.map { $0.fileName + "\n" }.joined().utf8))
    return archive.finished()
  }

  /// The same archive with another noguest; nil if `archive` is not one of ours. `archive` itself when nothing changes.
  package static func replacing(noguest: [UInt8], in archive: [UInt8]) -> [UInt8]? {
    guard let (data, next) = NewcArchive.firstFile(initName, of: archive) else { return nil }
    if archive[data].elementsEqual(noguest) { return archive }
    var replaced = NewcArchive()
    replaced.add(file: initName, permissions: 0o755, noguest)
    return replaced.bytes + archive[next...]
  }
}
