import Glibc
import Host
import Packs

/// A kernel that is booted from where it was built: made a bundle of when it is first booted, and anew when something was built since.
///
/// Its bundles are apart from those that have names (`.builds` in the store), each named by the path and by the state of what was built
/// there, so that a machine goes on with the one that it has while the next is made.
package struct LocalKernel {
  private let source: KernelSource
  private let files: KernelFiles
  private let path: String

  /// How many of one path are kept.
  private static let kept = 3

  /// - Parameter path: a directory in which a kernel was built, a bzImage or a vmlinux.
  package init(_ path: String) throws(KernelBundleError) {
    self.path = Self.resolved(path)
    source = .image(path: self.path, modules: nil)
    try source.check()
    files = try KernelFiles(source, work: "", packageTool: "", progress: { _ in })
  }

  /// The directory in which what is booted by a path was built; nil where it does not lie in one.
  package static func build(of path: String) -> String? {
    let path = resolved(path)
    return Files.kind(path) == .directory ? path : KernelFiles.build(of: path)
  }

  package func bundle(
    in store: KernelStore, noguest: String, progress: @escaping (ImportProgress) -> Void
  ) throws(KernelBundleError) -> KernelBundle {
    let builds = Self.builds(of: store)
    let (place, name) = (self.place, self.name)
    let bundle = try builds.import(source, name: name, noguest: noguest, isKept: true, progress: progress)
    let others = try builds.list().bundles.filter { $0.name.hasPrefix("\(place)-") && $0.name != name }
    for old in others.sorted(by: { $0.description.imported > $1.description.imported }).dropFirst(Self.kept - 1) {
      try? builds.remove(old.name)
    }
    return bundle
  }

  /// The bundle that was made of what is built there now.
  ///
  /// - Throws: ``KernelBundleError/noSuchBundle(_:store:)`` if none was.
  package func made(in store: KernelStore) throws(KernelBundleError) -> KernelBundle {
    try Self.builds(of: store).bundle(named: name)
  }

  private static func builds(of store: KernelStore) -> KernelStore {
    KernelStore(directory: "\(store.directory)/.builds")
  }

  private var place: String { Self.digits(of: path) }
  private var name: String { "\(place)-\(Self.digits(of: state))" }

  /// With every link on the way resolved; what is not there stays as it is, to be told of.
  private static func resolved(_ path: String) -> String {
    guard let real = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(real) }
    return unsafe String(cString: real)
  }

  /// Of all that a bundle is made of: which file it is, its size, and when it was written.
  private var state: String {
    var paths = [files.image] + [files.configuration].compactMap(\.self)
    if let modules = files.modules {
      paths += ["modules.builtin", "modules.order"].map { "\(modules)/\($0)" }
      // It names what there is to be loaded, as .ko or, before Linux 6.2 and in a build, as .o or kernel/….ko.
      for line in (Files.readText("\(modules)/modules.order") ?? "").split(separator: "\n") {
        var module = line.hasPrefix("kernel/") ? line.dropFirst("kernel/".count) : line
        if module.hasSuffix(".o") { module = module.dropLast(2) + ".ko" }
        paths.append("\(modules)/\(module)")
      }
    }
    return paths.map { path in
      var status = stat()
      guard unsafe stat(path, &status) == 0 else { return path }
      return "\(path) \(status.st_ino) \(status.st_size) \(status.st_mtim.tv_sec) \(status.st_mtim.tv_nsec)"
    }.joined(separator: "\n")
  }

  private static func digits(of text: String) -> String {
    String(Digest.of(Array(text.utf8)).description.dropFirst("sha256:".count).prefix(16))
  }
}
