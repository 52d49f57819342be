import Download
import Host
import KernelBundle
import NovmKit
import Packs
import Store

extension Store {
  /// What a kernel is made of.
  public enum KernelOrigin: Sendable {
    /// The kernel that this system runs.
    case runningSystem
    /// A bzImage or vmlinux, or a directory in which a kernel was built; and the directory of its modules.
    case image(String, modules: String? = nil)
    /// Debian packages' files: one with the kernel, and others with modules where a distribution packs them apart.
    case packages([String])
  }

  /// Makes a kernel ready to boot, as `novm kernel import` does; one of the same name is replaced.
  ///
  /// - Parameters:
  ///   - name: its release if not given.
  ///   - progress: is told what goes on, in lines for a person, on the thread that calls.
  /// - Throws: ``Failure/Code/missing``, ``Failure/Code/argument`` for what is no kernel, or lacks what machines need.
  public func importKernel(
    _ origin: KernelOrigin = .runningSystem, name: String? = nil, progress: (String) -> Void = { _ in }
  ) throws(Failure) -> Kernel {
    let source: KernelSource =
      switch origin {
      case .runningSystem: .runningSystem
      case .image(let path, let modules): .image(path: path, modules: modules)
      case .packages(let paths): .packageFiles(paths)
      }
    try told { () throws(NovmError) in try InstalledPrograms.require(machines.programs.noguest) }
    return try withoutActuallyEscaping(progress) { (progress) throws(Failure) in
      try told(NovmError.bundle) { () throws(KernelBundleError) in
        Kernel(
          try machines.kernels.import(source, name: name, noguest: machines.programs.noguest) { progress($0.text) })
      }
    }
  }
}

extension Store {
  /// Makes a pack of a tar archive, compressed or not, as `novm pack import` does. What could lead out of it is refused.
  ///
  /// A process that is no child of this one does it, and ends when this call does.
  ///
  /// - Parameters:
  ///   - archive: its path, as bytes, or its https address.
  ///   - name: the archive's without its ending if not given.
  ///   - digest: what the archive must be, `sha256:` and hexadecimal digits; an http address needs it.
  ///   - replacing: whether another pack may have the name, which is then this one's.
  ///   - patience: what it has for that.
  ///   - progress: is told what goes on, in lines for a person, on the thread that calls, at least once a second; false gives it up.
  /// - Throws: ``Failure/Code/taken``, ``Failure/Code/missing``, ``Failure/Code/argument`` for what is no archive, or
  ///   not what its digest says, ``Failure/Code/refused`` by a server, ``Failure/Code/canceled``, ``Failure/Code/timedOut``.
  public func importPack(
    _ archive: [UInt8], name: String? = nil, digest: String? = nil, replacing: Bool = false,
    patience: Duration = .forever, progress: (String) -> Bool = { _ in true }
  ) throws(Failure) -> Pack {
    var archive = archive
    if !Download.isAddress(ByteString.string(archive)) {
      // The word - would be standard input.
      archive = Path(archive).absolute(in: Self.workingDirectory).bytes
    }
    let words = [archive, name.map(ByteString.bytes) ?? [], digest.map(ByteString.bytes) ?? []]
    let errand = Errand(.importPack, words + [replacing ? Array("replace".utf8) : []])
    let made = try errand.run(by: machines, until: patience.deadline, progress)
    return Pack(try told(NovmError.pack) { () throws(PackError) in try machines.packs.pack(named: made) })
  }
}

extension Machine {
  /// Makes a pack of what it wrote to `/`. It must not run.
  ///
  /// - Parameter replacing: whether another pack may have the name, which is then this one's.
  /// - Throws: ``Failure/Code/taken``, ``Failure/Code/running``.
  public func commit(to name: String, replacing: Bool = false) throws(Failure) -> Pack {
    try reading { (record, changes) throws(NovmError) in
      do throws(PackError) {
        return Pack(
          try machines.packs.create(name, origin: "machine \(record.name)", replacing: replacing) {
            (builder) throws(PackError) in try changes.read(into: builder)
          })
      } catch {
        throw .pack(error)
      }
    }
  }

  /// Has `body` read all that it wrote to `/`. Nobody starts, applies, discards or removes it meanwhile.
  func reading<Result>(
    _ body: (MachineRecord, DirectorySource) throws(NovmError) -> Result
  ) throws(Failure) -> Result {
    let record = try current()
    return try told { () throws(NovmError) in
      let directory = try machines.open(record)
      defer { withExtendedLifetime(directory) {} }
      guard let source = try ChangedMachine(record, of: machines).trees.rootWrites else {
        throw .refused(record.name, "what it writes to / goes to a volume or share; there is nothing to commit")
      }
      let changes: DirectorySource
      do throws(PackError) {
        changes = DirectorySource(source, patterns: try PathPatterns(include: [], exclude: []))
      } catch {
        throw .pack(error)
      }
      return try body(record, changes)
    }
  }
}
