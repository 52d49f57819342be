import Host
import Registry

extension RegistryError {
  /// One line: the thing that is wrong, and the mend.
  package var message: String {
    switch self {
    case .download(let error): error.message
    case .image(let error): error.message
    case .noSuchImage(let image): "\(image): the registry has no such image"
    case .denied(let registry, let image, let wasTold, let words):
      "\(registry): " + (image.isEmpty ? "" : "\(image) is ") + "refused"
        + (words.isEmpty ? "" : " (\(text(words)))")
        + (wasTold
          ? "; the user or password is not the right one, or may not have it"
          : "; there is no such image, or it wants a user: novm login \(registry)")
    case .answer(let registry, let words): "\(registry): \(text(words))"
    case .untrusted(let registry, let words):
      "\(registry): \(words); put its authority's certificate into /etc/containers/certs.d/\(registry)/ca.crt, or give "
        + "--tls-verify=false"
    case .blocked(let prefix): "\(prefix): blocked by registries.conf"
    case .busy(let registry): "\(registry): too many requests (429); try again later, or log in: novm login \(registry)"
    case .configuration(let path, let words): "\(path): \(words)"
    case .helper(let name, let words): "docker-credential-\(text(name)): \(text(words))"
    case .shortName(let name, let registries):
      "\(name): in none of \(registries.joined(separator: ", ")), where registries.conf has short names looked for"
    case .noRegistry(let name):
      "'\(text(name))' is no registry; such as registry.example.org or localhost:5000"
    case .oldFormat(let image):
      "\(image): in the old format (schema 1), which names no digests of what layers hold; push it anew with a tool of today"
    case .layer(let layer, let words): "\(layer): \(text(words))"
    }
  }

  private func text(_ words: String) -> String { String(printable: Array(words.utf8)) }
}
