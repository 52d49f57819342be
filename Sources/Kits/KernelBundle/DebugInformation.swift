import Boot
import Glibc
import Host

/// A kernel's debugging information (DWARF) on the host: what there is to show to the tools of a guest, and where these look for
/// it, as gdb, perf, drgn, crash and bpftrace do.
package struct DebugInformation: Equatable, Sendable {
  /// The guest's path of each.
  package private(set) var places: [Place] = []

  package struct Place: Equatable, Sendable {
    package var guest: String
    /// Absolute.
    package var host: String
  }

  package enum Fault: Error, Equatable, Sendable {
    case notThere(Errno)
    /// A directory has no vmlinux of this release.
    case noKernel(release: String)
    case notELF
    /// It was built without.
    case none
    /// Build IDs: the file's, and that of the kernel that is booted.
    case otherBuild(String, booted: String)
  }

  /// Where distributions have information apart from programs, each below a name of its own.
  private static let apart = "/usr/lib/debug"

  /// - Parameters:
  ///   - path: a vmlinux; a directory in which a kernel was built; or one with what a distribution keeps apart, such as
  ///     `/usr/lib/debug`, or a package of it unpacked.
  ///   - release: the kernel's that is booted, and `image` its ELF file.
  package init(_ path: String, release: String, image: String) throws(Fault) {
    let found: String
    switch Files.kind(path) {
    case .file: found = path
    case .directory:
      let roots = [path, path + Self.apart]
      let names = ["boot/vmlinux-\(release)", "lib/modules/\(release)/vmlinux", "usr/lib/modules/\(release)/vmlinux"]
      let kept = roots.lazy.flatMap { root in names.lazy.map { (root, "\(root)/\($0)") } }.first { Files.exists($0.1) }
      if let kept {
        found = kept.1
        places.append(Place(guest: Self.apart, host: kept.0))
      } else if Files.exists("\(path)/vmlinux") {
        found = "\(path)/vmlinux"
        // Its sources, headers and modules, by the name that an installed kernel gives them.
        places.append(Place(guest: "/lib/modules/\(release)/build", host: path))
      } else {
        throw .noKernel(release: release)
      }
    default: throw .notThere(unsafe access(path, F_OK) == 0 ? Errno(EINVAL) : .current)
    }
    let (buildID, hasDWARF) = try Self.look(found)
    guard hasDWARF else { throw .none }
    let booted = try Self.look(image).buildID
    guard buildID.isEmpty || booted.isEmpty || buildID == booted else {
      throw .otherBuild(Hexadecimal.text(buildID), booted: Hexadecimal.text(booted))
    }
    let name = "\(Self.apart)/boot/vmlinux-\(release)"
    if !places.contains(where: { $0.guest == Self.apart && "\($0.host)/boot/vmlinux-\(release)" == found }) {
      places.append(Place(guest: name, host: found))
    }
  }

  private static func look(_ path: String) throws(Fault) -> (buildID: [UInt8], hasDWARF: Bool) {
    let mapping: MemoryMapping
    do throws(Errno) {
      let file = try FileDescriptor.open(path, O_RDONLY)
      mapping = try MemoryMapping(file, count: try file.regularFileSize())
    } catch {
      throw .notThere(error)
    }
    return try mapping.withSpan { (bytes) throws(Fault) in
      guard let image = try? Boot.ELFImage(bytes) else { throw .notELF }
      return (image.buildID, hasDWARF(bytes))
    }
  }

  /// Whether an ELF file has a section `.debug_info`, compressed or not (System V ABI, chapter 4, "Sections").
  private static func hasDWARF(_ file: Span<UInt8>) -> Bool {
    guard let header = bytes(file, 0, 64), let offset = header.u64(at: 40), header.u16(at: 58) == 64,
      let count = header.u16(at: 60), let names = header.u16(at: 62), names < count,
      let sections = bytes(file, offset, UInt64(count) * 64), let start = sections.u64(at: Int(names) * 64 + 24),
      let size = sections.u64(at: Int(names) * 64 + 32), size <= 1 << 20, let texts = bytes(file, start, size)
    else { return false }
    return (0..<Int(count)).contains { index in
      guard let name = sections.u32(at: index * 64) else { return false }
      return texts.hasPrefix(Array(".debug_info\0".utf8), at: Int(name))
    }
  }

  private static func bytes(_ file: Span<UInt8>, _ offset: UInt64, _ count: UInt64) -> [UInt8]? {
    let size = UInt64(file.count)
    guard offset <= size, count <= size - offset else { return nil }
    return (Int(offset)..<Int(offset + count)).map { file[$0] }
  }
}
