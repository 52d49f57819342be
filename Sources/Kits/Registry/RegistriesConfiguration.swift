import Images
import Packs

/// Where images come from, by `registries.conf` (containers-registries.conf(5)): registries of short names, mirrors, registries
/// that speak no TLS, and such as are not to be used.
package struct RegistriesConfiguration: Equatable, Sendable {
  package struct Location: Equatable, Sendable {
    /// What stands in place of the prefix: `HOST[:PORT][/PATH]`.
    package var location: String
    package var isInsecure = false
    /// A mirror may have old tags: it is then only asked by digest, or the other way around.
    package var isForDigests = true
    package var isForTags = true
  }

  package struct Registry: Equatable, Sendable {
    /// `HOST[:PORT][/PATH]`, or `*.HOST`.
    package var prefix: String
    package var location: Location
    package var mirrors: [Location] = []
    package var isBlocked = false
  }

  package var registries: [Registry] = []
  package var searched: [String] = []
  package var aliases: [String: String] = [:]

  package init() {}

  // MARK: Files

  /// What the files say that are there: the user's in place of the system's, `CONTAINERS_REGISTRIES_CONF` in place of both.
  package static func read(
    environment: [String: String], home: String, system: String = "/etc/containers"
  ) throws(RegistryError) -> RegistriesConfiguration {
    var configuration = RegistriesConfiguration()
    let own = "\(home)/.config/containers"
    let given = environment["CONTAINERS_REGISTRIES_CONF"].flatMap { $0.isEmpty ? nil : $0 }
    if let file = given ?? ["\(own)/registries.conf", "\(system)/registries.conf"].first(where: Names.exists) {
      try configuration.add(file)
    }
    // With a file that was named nothing else counts.
    if given != nil { return configuration }
    for directory in ["\(system)/registries.conf.d", "\(own)/registries.conf.d"] {
      for name in ((try? Names.list(directory)) ?? []).sorted() where name.hasSuffix(".conf") {
        try configuration.add("\(directory)/\(name)")
      }
    }
    return configuration
  }

  private mutating func add(_ path: String) throws(RegistryError) {
    let bytes: [UInt8]
    do throws(PackError) {
      bytes = try Names.read(path)
    } catch {
      throw .image(.pack(error))
    }
    guard let toml = TOML(bytes) else { throw .configuration(path: path, "is not TOML") }
    add(toml)
  }

  package mutating func add(_ toml: TOML) {
    if let list = toml["unqualified-search-registries"] { searched = list.items.compactMap(\.string) }
    for (name, value) in toml["aliases"]?.entries ?? [:] {
      if let target = value.string { aliases[name] = target.isEmpty ? nil : target }
    }
    for entry in toml["registry"]?.items ?? [] {
      guard let name = entry["prefix"]?.string ?? entry["location"]?.string else { continue }
      let location = Location(
        location: entry["location"]?.string ?? name, isInsecure: entry["insecure"]?.isTrue ?? false)
      var registry = Registry(prefix: name, location: location, isBlocked: entry["blocked"]?.isTrue ?? false)
      let isDigestOnly = entry["mirror-by-digest-only"]?.isTrue ?? false
      for mirror in entry["mirror"]?.items ?? [] {
        guard let place = mirror["location"]?.string else { continue }
        let pull = mirror["pull-from-mirror"]?.string ?? (isDigestOnly ? "digest-only" : "all")
        registry.mirrors.append(
          Location(
            location: place, isInsecure: mirror["insecure"]?.isTrue ?? false, isForDigests: pull != "tag-only",
            isForTags: pull != "digest-only"))
      }
      registries.removeAll { $0.prefix == name }
      registries.append(registry)
    }
    // Version 1 of the file.
    for (table, change) in [
      ("insecure", { (registry: inout Registry) in registry.location.isInsecure = true }),
      ("block", { $0.isBlocked = true }),
    ] {
      for name in toml["registries"]?[table]?["registries"]?.items.compactMap(\.string) ?? [] {
        var registry = registries.first { $0.prefix == name } ?? Registry(prefix: name, location: .init(location: name))
        change(&registry)
        registries.removeAll { $0.prefix == name }
        registries.append(registry)
      }
    }
    if let list = toml["registries"]?["search"]?["registries"] { searched = list.items.compactMap(\.string) }
  }

  // MARK: Answers

  /// The entry of the longest prefix that a reference has.
  package func registry(of reference: ImageReference) -> Registry? {
    let name = "\(reference.registry)/\(reference.repository)"
    return registries.filter { $0.matches(name, host: reference.registry) }.max { $0.prefix.count < $1.prefix.count }
  }

  /// Where an image may be had, in the order in which to ask.
  package func sources(of reference: ImageReference) throws(RegistryError) -> [Source] {
    guard let registry = registry(of: reference) else { return [Source(reference, isInsecure: false)] }
    if registry.isBlocked { throw .blocked(registry.prefix) }
    let mirrors = registry.mirrors.filter { reference.digest != nil ? $0.isForDigests : $0.isForTags }
    let sources = (mirrors + [registry.location]).compactMap { registry.source(of: reference, at: $0) }
    if sources.isEmpty { throw .noRegistry(registry.location.location) }
    return sources
  }

  /// Where an image is brought to: the registry itself, since mirrors are for reading.
  package func destination(of reference: ImageReference) throws(RegistryError) -> Source {
    guard let registry = registry(of: reference) else { return Source(reference, isInsecure: false) }
    if registry.isBlocked { throw .blocked(registry.prefix) }
    guard let source = registry.source(of: reference, at: registry.location) else {
      throw .noRegistry(registry.location.location)
    }
    return source
  }

  /// A repository at a host.
  package struct Source: Equatable, Sendable {
    /// `HOST[:PORT]`.
    package var host: String
    package var repository: String
    package var isInsecure: Bool

    package init(host: String, repository: String, isInsecure: Bool) {
      self.host = host
      self.repository = repository
      self.isInsecure = isInsecure
    }

    package init(_ reference: ImageReference, isInsecure: Bool) {
      self.init(host: reference.registry, repository: reference.repository, isInsecure: isInsecure)
    }
  }

  /// What a name without a host may stand for, in the order in which to ask, and who says so.
  ///
  /// - Parameter registry: the user's own default, which then is all.
  package func candidates(
    _ text: String, registry: String?
  ) throws(RegistryError) -> (references: [ImageReference], by: String?) {
    guard let reference = ImageReference(text) else { throw .image(.reference(text)) }
    let isShort = reference.registry == ImageReference.defaultRegistry && !text.hasPrefix("docker.io/")
    guard isShort else { return ([reference], nil) }
    let suffix = text.prefix { $0 != "@" }
    let slash = suffix.lastIndex(of: "/") ?? suffix.startIndex
    let name = String(suffix[..<(suffix[slash...].lastIndex(of: ":") ?? suffix.endIndex)])
    if let registry {
      guard Self.isRegistry(registry) else { throw .noRegistry(registry) }
      guard let result = ImageReference("\(registry)/\(text)") else { throw .image(.reference("\(registry)/\(text)")) }
      return ([result], nil)
    }
    if let alias = aliases[name] {
      guard Self.isRegistry(alias) else { throw .noRegistry(alias) }
      guard let result = ImageReference(alias + text.dropFirst(name.count)) else {
        throw .image(.reference(alias + text.dropFirst(name.count)))
      }
      return ([result], "an alias")
    }
    if searched.isEmpty { return ([reference], nil) }
    let found = searched.filter(Self.isRegistry).compactMap { ImageReference("\($0)/\(text)") }
    if found.isEmpty { throw .noRegistry(searched[0]) }
    return (found, "unqualified-search-registries")
  }

  /// Whether a place begins with a host: a name without `.` and `:` would be a part of the default registry, which others than
  /// the one that was meant write to.
  package static func isRegistry(_ place: String) -> Bool {
    let host = place.prefix { $0 != "/" }
    return ImageReference("\(host)/x")?.registry == String(host)
  }
}

extension RegistriesConfiguration.Registry {
  fileprivate func matches(_ name: String, host: String) -> Bool {
    // At any port, if it names none.
    if prefix.hasPrefix("*.") {
      return [host[...], host.prefix { $0 != ":" }].contains { $0.hasSuffix(prefix.dropFirst()) }
    }
    return name == prefix || name.hasPrefix(prefix + "/")
  }

  fileprivate func source(
    of reference: ImageReference, at location: RegistriesConfiguration.Location
  ) -> RegistriesConfiguration.Source? {
    let name = "\(reference.registry)/\(reference.repository)"
    let rest = prefix.hasPrefix("*.") ? "/" + reference.repository : String(name.dropFirst(prefix.count))
    // A wildcard without a location stands for the host itself.
    let base = location.location.hasPrefix("*.") ? reference.registry : location.location
    guard RegistriesConfiguration.isRegistry(base), let other = ImageReference(base + rest) else { return nil }
    return .init(host: other.registry, repository: other.repository, isInsecure: location.isInsecure)
  }
}
