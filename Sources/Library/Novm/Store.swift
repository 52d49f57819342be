import CLinux
import Glibc
import Host
import KernelBundle
import NovmKit
import Packs
import Store

/// The kernels, packs and machines of a user, and the programs that make machines of them.
public struct Store: Sendable {
  let machines: StoreMachines

  /// Opens what `novm` would use.
  ///
  /// The environment is read here and at no other time: `NOVM_ROOT`, `NOVM_KERNELS`, `NOVM_PACKS`, `NOVM_INSTANCES`,
  /// `NOVM_LIBEXEC`, `HOME`, `XDG_DATA_HOME`, `XDG_RUNTIME_DIR`, and what machines' processes are given of it.
  ///
  /// - Parameters:
  ///   - root: the directory of the store, in place of `NOVM_ROOT`; absolute.
  ///   - programs: the directory with `novmm` and `noguest`, in place of `NOVM_LIBEXEC`; `novm` is in `../../bin`.
  /// - Throws: ``Failure/Code/argument`` for a path that is not absolute; ``Failure/Code/installation`` if no programs are found.
  public init(root: String? = nil, programs: String? = nil) throws(Failure) {
    var environment = Self.environment
    for (name, path) in [("root", root), ("programs", programs)] {
      if let path, !path.hasPrefix("/") || path.utf8.contains(0) {
        throw Failure(.argument, "\(name): '\(ByteString.printable(path))' is no absolute path", about: name)
      }
    }
    if let root { environment["NOVM_ROOT"] = root }
    let paths = StorePaths.current(environment: environment)
    guard let directory = programs ?? environment["NOVM_LIBEXEC"].flatMap({ $0.isEmpty ? nil : $0 }) ?? Self.installed
    else {
      throw Failure(
        .installation, "novm's programs are not installed; set NOVM_LIBEXEC to the directory that has novmm",
        about: "novmm")
    }
    let novm = directory.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/bin/novm"
    environment["NOVM_ROOT"] = paths.root
    environment["NOVM_KERNELS"] = paths.kernels
    environment["NOVM_PACKS"] = paths.packs
    environment["NOVM_INSTANCES"] = paths.machines
    environment["NOVM_LIBEXEC"] = directory
    machines = StoreMachines(
      paths: paths, programs: InstalledPrograms(directory: directory), novm: novm,
      host: HostProgram(environment: environment.map { Array("\($0.key)=\($0.value)".utf8) }))
  }

  /// The store of who embeds novm in a way of its own.
  package init(_ machines: StoreMachines) { self.machines = machines }

  // MARK: What there is

  /// The kernels that machines can boot, newest first.
  public func kernels() throws(Failure) -> [Kernel] {
    try told(NovmError.bundle) { () throws(KernelBundleError) in try machines.kernels.list().bundles.map(Kernel.init) }
  }

  /// The packs, by name.
  public func packs() throws(Failure) -> [Pack] {
    try told(NovmError.pack) { () throws(PackError) in
      // Those of images are theirs.
      try machines.packs.list().packs.filter { !$0.name.hasPrefix(PackStore.layerPrefix) }.map(Pack.init)
    }
  }

  /// All machines, whoever made them, in no order.
  public func list() throws(Failure) -> [Machine] {
    let records = try told { () throws(NovmError) in try machines.list() }
    return records.map { Machine($0, of: machines) }
  }

  /// The machine of a name or identifier, or of the beginning of just one identifier.
  public func machine(_ reference: String) throws(Failure) -> Machine {
    Machine(try told { () throws(NovmError) in try machines.find(reference) }, of: machines)
  }

  /// Makes a machine, which does not run yet.
  ///
  /// - Throws: ``Failure/Code/description`` and what the command says of it; ``Failure/Code/missing`` for a kernel, pack or image;
  ///   ``Failure/Code/taken``.
  public func create(_ description: Description) throws(Failure) -> Machine {
    let (definition, layers) = try told { () throws(NovmError) in
      try description.settings.definition(directory: Self.workingDirectory, images: machines.images)
    }
    defer { withExtendedLifetime(layers) {} }
    return try create(definition, name: description.settings.name)
  }

  /// Makes a machine of a definition, whose paths are absolute.
  package func create(_ definition: MachineDefinition, name: String? = nil) throws(Failure) -> Machine {
    let directory = try told { () throws(NovmError) in
      let request = try MachineRequest(definition.machine, directory: [UInt8(ascii: "/")])
      try request.validate(host: .current)
      try request.validateFiles()
      return try machines.make(name, definition, request, isKept: !definition.remove)
    }
    return Machine(directory.record, of: machines, pending: definition.remove ? directory : nil)
  }

  /// Removes a kernel.
  public func removeKernel(_ name: String) throws(Failure) {
    try told(NovmError.bundle) { () throws(KernelBundleError) in try machines.kernels.remove(name) }
  }

  /// Removes a pack that no machine has.
  public func removePack(_ name: String) throws(Failure) {
    try told(NovmError.pack) { () throws(PackError) in try machines.packs.remove(name) }
  }

  // MARK: Surroundings

  /// The environment, as far as it is text.
  private static var environment: [String: String] {
    var variables: [String: String] = [:]
    var next = unsafe environ
    while let entry = unsafe next.pointee {
      if let text = unsafe String(validatingCString: entry), let equals = text.firstIndex(of: "=") {
        variables[String(text[..<equals])] = String(text[equals...].dropFirst())
      }
      unsafe next += 1
    }
    return variables
  }

  static var workingDirectory: [UInt8] {
    guard let path = unsafe getcwd(nil, 0) else { return [UInt8(ascii: "/")] }
    defer { unsafe free(path) }
    return unsafe UnsafeRawBufferPointer(start: path, count: strlen(path)).map { $0 }
  }

  /// `libexec/novm` beside one of the directories that this library is in, or where packages have it.
  private static var installed: String? {
    var candidates: [String] = []
    if let file = unsafe clinux_loaded_from(#dsohandle), let path = unsafe realpath(file, nil) {
      defer { unsafe free(path) }
      var parts = unsafe String(cString: path).split(separator: "/").dropLast()
      for _ in 0..<4 where !parts.isEmpty {
        candidates.append("/" + parts.joined(separator: "/") + "/libexec/novm")
        parts = parts.dropLast()
      }
    }
    candidates += ["/usr/local/libexec/novm", "/usr/libexec/novm"]
    return candidates.first { unsafe access("\($0)/novmm", X_OK) == 0 }
  }
}
