import Host
import Images
import NovmKit
import Registry

/// How a machine is made of an image.
struct ImageUse {
  /// Whether ports of the host's lead to all that the image exposes.
  var publishesAll: Bool
  var pull: PullPolicy
}

/// A machine that is made of an image: its layers are packs, its configuration is what the command line does not say.
extension MachineSettings {
  /// The same, made of the image that it names, if it names one.
  ///
  /// What is written down is the image of now: a name may lead to another one later.
  ///
  /// - Returns: also what keeps the layers until the machine's description, or the machine itself, does: for as long as
  ///   it lives.
  func ofImage(_ use: ImageUse) throws -> (settings: MachineSettings, image: Image?, layers: SharedFile?) {
    guard let name = image else {
      if use.publishesAll {
        throw CommandFailure("--publish-all: for what an image exposes; give --image, or --publish")
      }
      return (self, nil, nil)
    }
    let layers = SharedFile(try ImageCommand.store.holdLayers())
    let image = try Self.image(name, use.pull)
    var settings = self
    settings.image = image.id.description
    settings.pack = image.packs + pack
    settings.label = image.labels(label)
    settings.volume = try volumes(of: image) + volume
    if use.publishesAll { settings.publish = try ExposedPorts.published(image) + publish }
    return (settings, image, layers)
  }

  /// More than any image declares.
  private static let mostVolumes = 64

  /// Those that an image declares, where nothing else is at the place.
  private func volumes(of image: Image) throws -> [String] {
    guard let declared = image.configuration.config?.volumes, !declared.isEmpty else { return [] }
    guard declared.count <= Self.mostVolumes else {
      throw CommandFailure(
        "\(image.name): declares \(declared.count) volumes; a machine has \(Self.mostVolumes) of an image's at most")
    }
    let request = try MachineRequest(self, directory: Surroundings.workingDirectory)
    var taken: [[UInt8]] = request.volumes.map(\.guest)
    taken += request.shares.map(\.map.guest)
    taken += request.writes.map(\.guest)
    taken += request.temporaries.map { ByteString.bytes($0.guest) }
    var volumes: [String] = []
    for path in declared.keys.sorted() {
      guard Self.isPlace(path), let volume = try? VolumeMap(ownAt: ByteString.bytes(path)) else {
        throw CommandFailure(
          "\(image.name): declares a volume at '\(ByteString.printable(String(path.prefix(100))))', where none can be")
      }
      if !taken.contains(volume.guest) { volumes.append(volume.argument) }
    }
    return volumes
  }

  /// Whether a path leads to a place below `/`, and can be one of a file's (path_resolution(7)).
  private static func isPlace(_ path: String) -> Bool {
    let names = path.split(separator: "/").filter { $0 != "." }
    return path.hasPrefix("/") && path.utf8.count < 4096 && !names.isEmpty
      && names.allSatisfy { $0 != ".." && $0.utf8.count < 256 }
  }

  /// An image that is here, or can be had.
  private static func image(_ name: String, _ policy: PullPolicy) throws -> Image {
    let (store, reference) = (ImageCommand.store, ImageReference(name))
    let named: Image?
    do throws(ImageError) {
      named = try store.find(name)
    } catch {
      guard case .noSuchImage = error, reference != nil else { throw error }
      named = nil
    }
    // Digits name what is here, and nothing that a registry has.
    if let named, policy == .missing || policy == .never || !named.references.contains(where: { $0 == reference }) {
      return named
    }
    if policy == .never {
      if let image = try elsewhere(name) { return image }
      throw CommandFailure(
        "no image \(ByteString.printable(name)), and --pull never; novm images shows those there are")
    }
    if policy == .missing, let image = try elsewhere(name) { return image }
    do {
      return try ImagePull(try Registries.access(), registry: Registries.chosen, isQuiet: false).pull(name)
    } catch let error as RegistryError where policy == .newer {
      guard let image = try named ?? elsewhere(name) else { throw error }
      StandardError.write("novm: \(error.message); this is the one that is here\n")
      return image
    }
  }

  /// A short name may stand for what was pulled from elsewhere.
  private static func elsewhere(_ name: String) throws -> Image? {
    let configuration = try Registries.configuration
    for candidate in try configuration.candidates(name, registry: Registries.chosen).references {
      if let image = try? ImageCommand.store.find(candidate.description) { return image }
    }
    return nil
  }
}

extension CommandSettings {
  /// Of a command and its environment, in bytes, with some left for what else there is.
  private static let mostWords = (2 << 20) - (64 << 10)

  /// The command as an image has it, where the command line says nothing else; nil where neither names a command.
  ///
  /// - Parameter entrypoint: the program that gets the command's words, in place of the image's.
  func of(_ image: Image?, entrypoint: String? = nil, _ ending: EndAndHealthOptions) throws -> CommandSettings? {
    var settings = self
    let program = entrypoint.map { $0.isEmpty ? [] : [$0] }
    settings.command = image?.command(command, entrypoint: program) ?? (program ?? []) + command
    let process = image?.configuration.config
    settings.health = try ending.health(of: process?.healthcheck.flatMap { HealthCheck($0) })
    settings.stopSignal = ending.stopSignal
    if settings.command.isEmpty {
      guard !ending.areGiven else {
        throw CommandFailure(
          "--stop-signal, --health-cmd and the like: for a command, and there is none; give one behind --")
      }
      return nil
    }
    guard let image else { return settings }
    settings.env = image.environment(env)
    let words = settings.command + settings.env
    guard words.reduce(0, { $0 + $1.utf8.count + 4 }) < Self.mostWords else {
      throw CommandFailure("\(image.name): says more for its command than the 2 MiB that Linux takes (execve(2))")
    }
    settings.cwd = cwd ?? process?.workingDirectory.flatMap { $0.isEmpty ? nil : $0 }
    settings.user = user ?? process?.user.flatMap { $0.isEmpty ? nil : $0 }
    if settings.stopSignal == nil, let signal = process?.stopSignal, !signal.isEmpty {
      guard SignalName.number(signal) != nil else {
        throw CommandFailure(
          "\(image.name): ends by '\(ByteString.printable(String(signal.prefix(100))))', which is no signal; give --stop-signal"
        )
      }
      settings.stopSignal = signal
    }
    return settings
  }
}

extension HealthCheck {
  /// nil where an image has nothing checked.
  init?(_ check: ImageConfiguration.Healthcheck) {
    guard let command = check.command else { return nil }
    self.init(command: command)
    func seconds(_ value: Int64?, _ usual: Double) -> Double {
      value.map { $0 == 0 ? usual : Double($0) / 1e9 } ?? usual
    }
    interval = seconds(check.interval, interval)
    timeout = seconds(check.timeout, timeout)
    startPeriod = seconds(check.startPeriod, startPeriod)
    startInterval = seconds(check.startInterval, startInterval)
    retries = check.retries.map { Int(clamping: $0) } ?? retries
    self = bounded
  }
}
