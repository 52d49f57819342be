import ArgumentParser
import Glibc
import Images
import NovmKit
import Registry
import Store

/// How registries are spoken to.
struct RegistryOptions: ParsableArguments {
  @Option(
    name: .customLong("tls-verify"),
    help: ArgumentHelp(
      "Whether the registry must speak TLS, with a certificate that can be trusted; localhost need not.",
      valueName: "true|false"))
  var verifies = true

  func access() throws -> RegistryAccess {
    var access = try Registries.access()
    access.verifies = verifies
    return access
  }
}

/// What this user has of registries.
enum Registries {
  static func access() throws -> RegistryAccess {
    let program = Surroundings.programs.nofetch
    try InstalledPrograms.require(program)
    return RegistryAccess(
      nofetch: program,
      configuration: try configuration,
      credentials: credentials, certificates: CertificateDirectories(home: home))
  }

  static var configuration: RegistriesConfiguration {
    get throws { try RegistriesConfiguration.read(environment: Surroundings.environment, home: home) }
  }

  static var credentials: CredentialFiles { CredentialFiles(environment: Surroundings.environment, home: home) }

  private static var home: String { StorePaths.home(environment: Surroundings.environment) }

  /// The registry of short names, if the user says so.
  static var chosen: String? { Surroundings.environment["NOVM_REGISTRY"].flatMap { $0.isEmpty ? nil : $0 } }

  /// A host as `login` is given it.
  static func host(_ text: String?) throws -> String {
    guard let text = text ?? chosen else { return ImageReference.defaultRegistry }
    var host = text[...]
    for scheme in ["https://", "http://"] where host.hasPrefix(scheme) { host = host.dropFirst(scheme.count) }
    host = host.prefix { $0 != "/" }
    if ImageReference.defaultAliases.contains(String(host)) { return ImageReference.defaultRegistry }
    guard RegistriesConfiguration.isRegistry(String(host)) else { throw RegistryError.noRegistry(text) }
    return String(host)
  }
}
