import Download
import Images
import Packs

/// Certificates for one registry (containers-certs.d(5)): `HOST[:PORT]/*.crt` are authorities, `*.cert` and `*.key` are whom to
/// appear as.
package struct CertificateDirectories: Equatable, Sendable {
  package var directories: [String]

  package init(directories: [String]) { self.directories = directories }

  /// Where Podman and Docker look.
  package init(home: String) {
    directories = ["\(home)/.config/containers/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d"]
  }

  package func trust(in host: String) throws(RegistryError) -> Exchange.Trust {
    var trust = Exchange.Trust()
    for directory in directories {
      let place = "\(directory)/\(host)"
      let names = ((try? Names.list(place)) ?? []).sorted()
      for name in names where name.hasSuffix(".crt") {
        trust.authorities += try read("\(place)/\(name)") + [UInt8(ascii: "\n")]
      }
      if trust.certificate.isEmpty, let name = names.first(where: { $0.hasSuffix(".cert") }) {
        let key = name.dropLast(".cert".count) + ".key"
        guard names.contains(String(key)) else {
          throw .configuration(path: "\(place)/\(name)", "has no key beside it: \(key)")
        }
        trust.certificate = try read("\(place)/\(name)")
        trust.key = try read("\(place)/\(key)")
      }
    }
    guard trust.authorities.count < 512 << 10 else {
      throw .configuration(path: host, "more than 512 KiB of certificates")
    }
    return trust
  }

  private func read(_ path: String) throws(RegistryError) -> [UInt8] {
    let bytes: [UInt8]
    do throws(PackError) {
      bytes = try Names.read(path)
    } catch {
      throw .image(.pack(error))
    }
    guard bytes.contains(UInt8(ascii: "-")), !bytes.contains(0) else {
      throw .configuration(path: path, "is not PEM")
    }
    return bytes
  }
}
