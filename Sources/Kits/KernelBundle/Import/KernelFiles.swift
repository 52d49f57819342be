import FoundationEssentials
import Glibc
import Host

/// The files that a source came down to.
struct KernelFiles {
  var image: String
  var configuration: String?
  var modules: String?
  /// Whether `modules` was unpacked for this import and may be moved instead of copied.
  var ownsModules = false
  var origin: BundleDescription.Origin
}

extension KernelFiles {
  /// - Parameters:
  ///   - work: a directory of this import, for downloads and unpacked packages.
  ///   - packageTool: `apt-get`, or a stand-in.
  init(
    _ source: KernelSource, work: String, packageTool: String, progress: (ImportProgress) -> Void
  ) throws(KernelBundleError) {
    switch source {
    case .runningSystem: self = try Self.runningSystem()
    case .image(let path, let modules) where Files.kind(path) == .directory:
      self = try Self.built(in: path, modules: modules)
    case .image(let path, let modules):
      let build = Self.build(of: path)
      self.init(
        image: path,
        configuration: Self.configuration(beside: path) ?? build.flatMap { Self.configuration(at: "\($0)/.config") },
        modules: modules ?? build.flatMap { Files.exists("\($0)/modules.builtin") ? $0 : nil },
        origin: .init(kind: .image, name: Self.absolute(path)))
    case .packageFiles(let paths):
      self = try Self.packages(paths, work: work, progress: progress)
    case .package(let name):
      let paths = try Self.download(name, work: work, tool: packageTool, progress: progress)
      self = try Self.packages(paths, work: work, progress: progress)
    }
  }

  /// The directory in which an image was built, if it is still in its place there.
  static func build(of image: String) -> String? {
    let path = absolute(image)
    let ends = ["/arch/x86/boot/bzImage", "/arch/x86_64/boot/bzImage", "/arch/x86/boot/compressed/vmlinux", "/vmlinux"]
    guard let end = ends.first(where: path.hasSuffix) else { return nil }
    let directory = String(path.dropLast(end.count))
    return Files.exists("\(directory)/.config") && Files.exists("\(directory)/Makefile") ? directory : nil
  }

  static func builtImage(in directory: String) -> String? {
    ["arch/x86/boot/bzImage", "vmlinux"].map { "\(directory)/\($0)" }.first(where: Files.exists)
  }

  /// What `make` left in a directory, with the modules that it built there unless they are elsewhere.
  private static func built(in directory: String, modules: String?) throws(KernelBundleError) -> KernelFiles {
    guard let image = builtImage(in: directory) else { throw .noBuild(path: directory) }
    return KernelFiles(
      image: image, configuration: configuration(at: "\(directory)/.config"),
      modules: modules ?? (Files.exists("\(directory)/modules.builtin") ? directory : nil),
      origin: .init(kind: .image, name: absolute(image)))
  }

  static func runningSystem() throws(KernelBundleError) -> KernelFiles {
    var system = utsname()
    _ = unsafe uname(&system)
    let release = unsafe withUnsafePointer(to: &system.release) {
      unsafe $0.withMemoryRebound(to: CChar.self, capacity: 65) { unsafe String(cString: $0) }
    }
    return try installed(release, root: "")
  }

  /// A kernel as distributions install it beneath a root.
  static func installed(_ release: String, root: String) throws(KernelBundleError) -> KernelFiles {
    let modules = "\(root)/lib/modules/\(release)"
    // Debian and Ubuntu; Fedora and Arch.
    let images = ["\(root)/boot/vmlinuz-\(release)", "\(modules)/vmlinuz"]
    guard let image = images.first(where: Files.exists) else { throw .noRunningKernel(path: images[0]) }
    return KernelFiles(
      image: image, configuration: configuration(beside: image) ?? configuration(at: "\(modules)/config"),
      modules: Files.exists(modules) ? modules : nil, origin: .init(kind: .runningSystem, name: image))
  }

  /// `config-X` beside `vmlinuz-X`, as distributions install it.
  private static func configuration(beside image: String) -> String? {
    let url = URL(fileURLWithPath: image)
    let name = url.lastPathComponent
    guard name.hasPrefix("vmlinu"), let dash = name.firstIndex(of: "-") else { return nil }
    return configuration(at: url.deletingLastPathComponent().path + "/config" + name[dash...])
  }

  private static func configuration(at path: String) -> String? {
    Files.kind(path) == .file ? path : nil
  }

  private static func absolute(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }

  private static func packages(
    _ paths: [String], work: String, progress: (ImportProgress) -> Void
  ) throws(KernelBundleError) -> KernelFiles {
    var contents = DebianPackage.Contents()
    var names: [String] = []
    var others: [String] = []
    for path in paths {
      let package = try DebianPackage(path)
      let name = package.nameAndVersion
      let unpacked = try package.unpack(into: "\(work)/package") { files in
        if files % 64 == 0 { progress(.unpacking(package: name, files: files)) }
      }
      contents.image = contents.image ?? unpacked.image
      contents.configuration = contents.configuration ?? unpacked.configuration
      contents.modules = contents.modules ?? unpacked.modules
      others += package.kernelDependencies
      if unpacked.image != nil { names.insert(name, at: 0) } else { names.append(name) }
    }
    guard let image = contents.image else {
      throw .package(path: paths.first ?? "", .noKernel(others: others))
    }
    return KernelFiles(
      image: image, configuration: contents.configuration, modules: contents.modules, ownsModules: true,
      origin: .init(kind: .package, name: names.joined(separator: ", ")))
  }

  /// Follows dependencies from a package such as `linux-image-amd64` to the one with the kernel, and from there to the one
  /// with the modules where that is another (Ubuntu), or to those of both (Debian's newest).
  private static func download(
    _ name: String, work: String, tool: String, progress: (ImportProgress) -> Void
  ) throws(KernelBundleError) -> [String] {
    let directory = "\(work)/download"
    try Files.makeDirectories(directory)
    let download = PackageDownload(directory: directory, tool: tool)
    var wanted = [name]
    var seen: Set<String> = []
    var paths: [String] = []
    // More than any distribution's chain; a loop ends at `seen`.
    while let next = wanted.popLast(), seen.count < 8 {
      guard seen.insert(next).inserted else { continue }
      progress(.downloading(package: next))
      let path = try download.fetch(next)
      paths.append(path)
      wanted += try DebianPackage(path).kernelDependencies
    }
    return paths
  }
}
