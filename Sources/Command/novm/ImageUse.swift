import Host
import Images
import NovmKit
import Registry

/// A machine that is made of an image: its layers are packs, its configuration is what the command line does not say.
extension MachineSettings {
  /// The same, made of the image that it names, if it names one.
  ///
  /// What is written down is the image of now: a name may lead to another one later.
  ///
  /// - Parameter publishesAll: whether ports of the host's lead to all that the image exposes.
  /// - Returns: also what keeps the layers until the machine's description, or the machine itself, does: for as long as
  ///   it lives.
  func ofImage(publishesAll: Bool) throws -> (settings: MachineSettings, image: Image?, layers: SharedFile?) {
    guard let name = image else {
      if publishesAll { throw CommandFailure("--publish-all: for what an image exposes; give --image, or --publish") }
      return (self, nil, nil)
    }
    let layers = SharedFile(try ImageCommand.store.holdLayers())
    let image = try Self.image(name)
    var settings = self
    settings.image = image.id.description
    settings.pack = image.packs + pack
    settings.label = image.labels(label)
    settings.volume = try volumes(of: image) + volume
    if publishesAll { settings.publish = try ExposedPorts.published(image) + publish }
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
      guard path != "/", let volume = try? VolumeMap(ownAt: ByteString.bytes(path)) else {
        throw CommandFailure("\(image.name): declares a volume at '\(ByteString.printable(path))', where none can be")
      }
      if !taken.contains(volume.guest) { volumes.append(volume.argument) }
    }
    return volumes
  }

  /// An image that is here, or can be had.
  private static func image(_ name: String) throws -> Image {
    let store = ImageCommand.store
    do throws(ImageError) {
      return try store.find(name)
    } catch {
      guard case .noSuchImage = error, let reference = ImageReference(name) else { throw error }
      let access = try Registries.access()
      // A short name may stand for what was pulled from elsewhere.
      for candidate in try access.configuration.candidates(name, registry: Registries.chosen).references {
        if candidate != reference, let image = try? store.find(candidate.description) { return image }
      }
      return try ImagePull(access, registry: Registries.chosen, isQuiet: false).pull(name)
    }
  }
}

extension CommandSettings {
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
    settings.cwd = cwd ?? process?.workingDirectory.flatMap { $0.isEmpty ? nil : $0 }
    settings.user = user ?? process?.user.flatMap { $0.isEmpty ? nil : $0 }
    if settings.stopSignal == nil, let signal = process?.stopSignal, !signal.isEmpty {
      guard SignalName.number(signal) != nil else {
        throw CommandFailure(
          "\(image.name): ends by '\(ByteString.printable(signal))', which is no signal; give --stop-signal")
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
