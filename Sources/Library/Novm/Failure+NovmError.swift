import Changes
import Download
import Glibc
import Host
import Images
import KernelBundle
import NovmKit
import Packs
import Registry
import Store

extension Failure {
  init(_ error: NovmError) {
    let (code, subject, number) = Self.kind(of: error)
    self.init(code, error.message, about: subject, number: number?.code ?? 0, exitStatus: error.exitStatus)
    if case .setting(_, let line, _) = error { self.line = line }
  }

  /// Any error of novm's.
  package init(any error: any Error) {
    func failure(_ kind: (Code, String, Errno?), _ message: String) -> Failure {
      Failure(kind.0, message, about: kind.1, number: kind.2?.code ?? 0)
    }
    self =
      switch error {
      case let error as Failure: error
      case let error as NovmError: Failure(error)
      case let error as PackError: failure(Self.kind(of: error), error.message)
      case let error as ImageError: failure(Self.kind(of: error), error.message)
      case let error as RegistryError: failure(Self.kind(of: error), error.message)
      case let error as DownloadError: failure(Self.kind(of: error), error.message)
      case let error as Errno: Failure(.system, error.description, number: error.code)
      default: Failure(.machine, "\(error)")
      }
  }

  private static func kind(of error: NovmError) -> (Code, String, Errno?) {
    switch error {
    case .store(let error): kind(of: error)
    case .bundle(let error): kind(of: error)
    case .pack(let error): kind(of: error)
    case .image(let error): kind(of: error)
    case .unfitImage(let name, _): (.description, name, nil)
    case .changes(let error): kind(of: error)
    case .system(_, let path, let number): (number == .notFound ? .missing : .system, path, number)
    case .call(let name, let number): (.system, name, number)
    case .setting(let name, _, _): (.description, name, nil)
    case .hostPath(let path, _), .writtenTwice(let path), .mappedTwice(let path), .mappedUnseen(let path),
      .volume(let path), .volumeGuest(let path), .packMap(let path), .hiddenPath(let path), .treeMap(let path, _),
      .shareOnDisk(let path), .diskMissing(_, let path), .disk(_, let path, _):
      (.description, String(printable: path), nil)
    case .kernelPath(let path, let number): (.missing, path, number)
    case .storeWithoutAttributes(let path): (.system, path, Errno(EOPNOTSUPP))
    case .publishing(let place, let number): (.inUse, "\(place)", number)
    case .passtMissing: (.installation, "passt", nil)
    case .programMissing(let path): (.installation, path, nil)
    case .damagedProgram(let path, let number): (.installation, path, number)
    case .machineDefinition(let path): (.damaged, path, nil)
    case .notRunning(let name), .paused(let name), .machineGone(let name): (.notRunning, name, nil)
    case .tookTooLong(let what): (.timedOut, what, nil)
    case .agentSilent: (.timedOut, "", nil)
    case .commandFailed(let command, _): (.command, String(printable: command), nil)
    case .portRefused(let port): (.missing, "\(port)", nil)
    case .builtIn, .unfitFile: (.command, "", nil)
    case .refused(let what, _): (.machine, what, nil)
    case .machineEnded, .start, .noTemplate, .agentLost, .agentVersion, .guestFailed, .protocolViolation, .excessFiles,
      .agentRefused, .userNetwork:
      (.machine, "", nil)
    case .output(let number): (.system, "", number)
    case .interrupted: (.canceled, "", nil)
    // What is left is about what was asked for.
    default: (.description, "", nil)
    }
  }

  private static func kind(of error: StoreError) -> (Code, String, Errno?) {
    switch error {
    case .system(_, let path, let number): (.system, path, number)
    case .noMachine(let name, _): (.missing, name, nil)
    case .ambiguous(let name, _): (.argument, name, nil)
    case .machineName(let name): (.argument, name, nil)
    case .nameTaken(let name): (.taken, name, nil)
    case .machineRuns(let name): (.running, name, nil)
    case .volumeInUse(let name): (.inUse, name, nil)
    case .untrustedRuntime(let path), .socketPathTooLong(let path): (.system, path, nil)
    }
  }

  private static func kind(of error: KernelBundleError) -> (Code, String, Errno?) {
    switch error {
    case .system(_, let path, let number): (.system, path, number)
    case .noSuchBundle(let name, _): (.missing, name, nil)
    case .noBundles(let store): (.missing, store, nil)
    case .invalidName(let name): (.argument, name, nil)
    case .toolMissing(let name): (.installation, name, nil)
    case .input(_, let path, let number): (number == .notFound ? .missing : .system, path, number)
    case .noRunningKernel(let path): (.missing, path, nil)
    case .badDescription, .damagedBundle, .cannotRefresh: (.damaged, "", nil)
    // What is left is about what was to be imported.
    default: (.argument, "", nil)
    }
  }

  private static func kind(of error: PackError) -> (Code, String, Errno?) {
    switch error {
    case .system(_, let path, let number):
      (number == .notFound ? .missing : .system, String(printable: path), number)
    case .invalidName(let name): (.argument, name, nil)
    case .noSuchPack(let name, _): (.missing, name, nil)
    case .nameTaken(let name): (.taken, name, nil)
    case .inUse(let name): (.inUse, name, nil)
    default: (.damaged, "", nil)
    }
  }

  private static func kind(of error: ImageError) -> (Code, String, Errno?) {
    switch error {
    case .reference(let name), .longName(let name), .ambiguous(let name), .change(let name): (.argument, name, nil)
    case .noSuchImage(let name): (.missing, name, nil)
    case .inUse(let name, _): (.inUse, name, nil)
    case .pack(let error): kind(of: error)
    case .system(_, let path, let number): (.system, path, number)
    case .platform(let source, _): (.missing, source, nil)
    case .damaged(let name): (.damaged, name, nil)
    case .notAnImage(let source), .malformed(let source, _), .digest(let source, _), .several(let source, _):
      (.damaged, source, nil)
    }
  }

  private static func kind(of error: RegistryError) -> (Code, String, Errno?) {
    switch error {
    case .download(let error): kind(of: error)
    case .image(let error): kind(of: error)
    case .noSuchImage(let name), .shortName(let name, _): (.missing, name, nil)
    case .noRegistry(let name): (.argument, name, nil)
    case .oldFormat(let name), .answer(let name, _): (.damaged, name, nil)
    case .denied(let registry, _, _, _), .untrusted(let registry, _), .busy(let registry), .blocked(let registry):
      (.refused, registry, nil)
    // What came as a layer, which goes no further than its decoder.
    case .layer(let name, _): (.refused, name, nil)
    case .configuration(let path, _): (.refused, path, nil)
    case .helper(let name, _): (.refused, name, nil)
    }
  }

  private static func kind(of error: DownloadError) -> (Code, String, Errno?) {
    switch error {
    case .badAddress(let address): (.argument, address, nil)
    case .status(404, let address): (.missing, address, nil)
    case .status(_, let address), .connection(let address, _), .untrusted(let address, _), .cut(let address, _):
      (.refused, address, nil)
    case .tooLarge(let address, _): (.system, address, Errno(ENOSPC))
    case .write(let number): (.system, "", number)
    case .program(let path, let number): (.installation, path, number)
    case .ended(let path, _): (.installation, path, nil)
    }
  }

  private static func kind(of error: ChangesError) -> (Code, String, Errno?) {
    switch error {
    case .system(_, let path, let number): (.system, String(printable: path), number)
    case .obstacles(let obstacles): (.conflict, obstacles.first.map { String(printable: $0.path) } ?? "", nil)
    case .tree, .written: (.damaged, "", nil)
    }
  }
}

/// The same for an error that is a part of those.
func told<Result, Part: Error>(
  _ whole: (Part) -> NovmError, _ body: () throws(Part) -> Result
) throws(Failure) -> Result {
  do { return try body() } catch { throw Failure(whole(error)) }
}

/// Turns novm's own errors into ``Failure``.
func told<Result: ~Copyable>(_ body: () throws(NovmError) -> Result) throws(Failure) -> Result {
  do { return try body() } catch { throw Failure(error) }
}
