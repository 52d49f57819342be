/// With what a registry is spoken to.
package struct RegistryAccess: Equatable, Sendable {
  /// The program that speaks (``Exchange``).
  package var nofetch: String
  package var configuration: RegistriesConfiguration
  package var credentials: CredentialFiles
  package var certificates: CertificateDirectories
  /// False where the user says that certificates, and TLS, do not matter.
  package var verifies = true
  /// In place of what files have.
  package var given: Credentials?

  package init(
    nofetch: String, configuration: RegistriesConfiguration, credentials: CredentialFiles,
    certificates: CertificateDirectories
  ) {
    self.nofetch = nofetch
    self.configuration = configuration
    self.credentials = credentials
    self.certificates = certificates
  }
}
