import Glibc
import Host

/// A directory such as `/lib/modules/RELEASE`, read without the help of `modules.dep`.
package struct ModuleTree: Sendable {
  package struct Module: Sendable {
    /// With `_` for `-`.
    package var name: String
    /// Beneath the tree's root.
    package var path: String
  }

  package let root: String
  /// By name.
  package let modules: [String: Module]
  /// Names of the modules that are part of the kernel; nil if the tree does not say (no `modules.builtin`).
  package let builtIn: Set<String>?

  /// The names of module files, longest first.
  private static let suffixes = [".ko.zst", ".ko.xz", ".ko.gz", ".ko"]
  private static let largestModule = 256 << 20

  package init(_ root: String) throws(KernelBundleError) {
    guard Files.kind(root) == .directory else {
      guard Files.exists(root) else { throw .system(operation: .open, path: root, Errno(ENOENT)) }
      throw .notAModuleTree(path: root)
    }
    self.root = root
    var found: [String: Module] = [:]
    try Self.walk(root, "") { path, name in
      // As depmod's default search order: what is in updates/ replaces what came with the kernel.
      if let other = found[name], !path.hasPrefix("updates/") || other.path.hasPrefix("updates/") { return }
      found[name] = Module(name: name, path: path)
    }
    modules = found
    builtIn = Files.readText("\(root)/modules.builtin").map { text in
      Set(text.split(separator: "\n").compactMap { Self.moduleName(ofFile: String($0)) })
    }
    guard !found.isEmpty || builtIn != nil else { throw .notAModuleTree(path: root) }
  }

  private static func walk(
    _ root: String, _ below: String, _ visit: (_ path: String, _ name: String) -> Void
  ) throws(KernelBundleError) {
    let directory = below.isEmpty ? root : "\(root)/\(below)"
    for entry in try Files.names(in: directory) {
      let path = below.isEmpty ? entry : "\(below)/\(entry)"
      // `build` and `source` are links into kernel sources.
      if let name = moduleName(ofFile: entry) {
        visit(path, name)
      } else if Files.kind("\(root)/\(path)", followLinks: false) == .directory {
        try walk(root, path, visit)
      }
    }
  }

  static func moduleName(ofFile path: String) -> String? {
    let file = path.split(separator: "/").last.map(String.init) ?? path
    guard let suffix = suffixes.first(where: { file.hasSuffix($0) }), file.count > suffix.count else { return nil }
    return ModuleInfo.normalised(String(file.dropLast(suffix.count)))
  }

  /// Where a release's modules are, in a directory that may hold those of several: `/lib/modules`, or what
  /// `make modules_install` was told (INSTALL_MOD_PATH).
  static func root(of release: String, in directory: String) -> String {
    ["\(directory)/\(release)", "\(directory)/lib/modules/\(release)", "\(directory)/usr/lib/modules/\(release)"]
      .first { Files.kind($0) == .directory } ?? directory
  }

  /// Whether it is where the kernel was built, with all its sources.
  var isBuild: Bool { Files.exists("\(root)/Makefile") && Files.exists("\(root)/.config") }

  /// The module's file, decompressed.
  package func image(of module: Module) throws(KernelBundleError) -> [UInt8] {
    let path = "\(root)/\(module.path)"
    let bytes = try Files.read(path)
    guard !bytes.hasPrefix(ELFImage.magic) else { return bytes }
    guard let format = Compression(detecting: bytes) else { throw .image(path: path, .notAModule) }
    do {
      return try format.decompress(bytes, 0..<bytes.count, limit: Self.largestModule)
    } catch {
      throw .image(path: path, .compression(format, error))
    }
  }

  package func info(of module: Module, image: [UInt8]) throws(KernelBundleError) -> ModuleInfo {
    do { return try ModuleInfo(module: image) } catch {
      throw .image(path: "\(root)/\(module.path)", error)
    }
  }

  /// Whether the tree is as `make modules_install` leaves it.
  var isInstalled: Bool { builtIn != nil || modules.values.contains { $0.path.hasPrefix("kernel/") } }

  package func isBuiltIn(_ name: String) -> Bool { builtIn?.contains(name) ?? false }
}
