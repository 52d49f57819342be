import Host
import Images

/// A machine that is made of an image: its layers are packs, its configuration is what nobody says otherwise.
extension MachineSettings {
  /// The same, made of an image.
  ///
  /// What is written down is the image of now: a name may lead to another one later.
  ///
  /// - Parameters:
  ///   - publishesAll: whether ports of the host's lead to all that the image exposes.
  ///   - directory: where relative paths start.
  package func made(
    of image: Image, publishesAll: Bool, directory: [UInt8]
  ) throws(NovmError) -> MachineSettings {
    var settings = self
    settings.image = image.id.description
    settings.pack = image.packs + pack
    settings.label = image.labels(label)
    settings.volume = try volumes(of: image, directory) + volume
    if publishesAll { settings.publish = try ExposedPorts.published(image) + publish }
    return settings
  }

  /// More than any image declares.
  private static let mostVolumes = 64

  /// Those that an image declares, where nothing else is at the place.
  private func volumes(of image: Image, _ directory: [UInt8]) throws(NovmError) -> [String] {
    guard let declared = image.configuration.config?.volumes, !declared.isEmpty else { return [] }
    guard declared.count <= Self.mostVolumes else {
      throw .unfitImage(
        image.name, "declares \(declared.count) volumes; a machine has \(Self.mostVolumes) of an image's at most")
    }
    let request = try MachineRequest(self, directory: directory)
    var taken: [[UInt8]] = request.volumes.map(\.guest)
    taken += request.shares.map(\.map.guest)
    taken += request.writes.map(\.guest)
    taken += request.temporaries.map { ByteString.bytes($0.guest) }
    var volumes: [String] = []
    for path in declared.keys.sorted() {
      guard ImageChange.isPlace(path), let volume = try? VolumeMap(ownAt: ByteString.bytes(path)) else {
        throw .unfitImage(
          image.name,
          "declares a volume at '\(ByteString.printable(String(path.prefix(100))))', where none can be")
      }
      // Several paths may lead to one place, such as /data and /data/.
      guard !taken.contains(volume.guest) else { continue }
      taken.append(volume.guest)
      volumes.append(volume.argument)
    }
    return volumes
  }
}

extension CommandSettings {
  /// Of a command and its environment, in bytes, with some left for what else there is.
  private static let mostWords = (2 << 20) - (64 << 10)

  /// The command's words, with an image's where there are none.
  ///
  /// - Parameter entrypoint: the program that gets the words, in place of the image's; none if it is empty.
  package func words(of image: Image?, entrypoint: String?) -> [String] {
    let program = entrypoint.map { $0.isEmpty ? [] : [$0] }
    return image?.command(command, entrypoint: program) ?? (program ?? []) + command
  }

  /// The same with an image's environment, directory, user and stop signal where nothing else is said.
  package func completed(by image: Image) throws(NovmError) -> CommandSettings {
    var settings = self
    let process = image.configuration.config
    settings.env = image.environment(env)
    let words = settings.command + settings.env
    guard words.reduce(0, { $0 + $1.utf8.count + 4 }) < Self.mostWords else {
      throw .unfitImage(image.name, "says more for its command than the 2 MiB that Linux takes (execve(2))")
    }
    settings.cwd = cwd ?? process?.workingDirectory.flatMap { $0.isEmpty ? nil : $0 }
    settings.user = user ?? process?.user.flatMap { $0.isEmpty ? nil : $0 }
    if settings.stopSignal == nil, let signal = process?.stopSignal, !signal.isEmpty {
      guard SignalName.number(signal) != nil else {
        throw .unfitImage(
          image.name,
          "ends by '\(ByteString.printable(String(signal.prefix(100))))', which is no signal; give --stop-signal")
      }
      settings.stopSignal = signal
    }
    return settings
  }
}

extension HealthCheck {
  /// nil where an image has nothing checked.
  package init?(_ image: Image?) {
    guard let check = image?.configuration.config?.healthcheck, let command = check.command else { return nil }
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
