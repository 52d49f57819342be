import FoundationEssentials
import Packs

/// An image of the store.
package struct Image: Sendable {
  /// The digest of its configuration.
  package let id: Digest
  package let record: ImageRecord
  package let configuration: ImageConfiguration
  /// As it came: what the digest is of.
  package let configurationBytes: [UInt8]
  /// All that lead to it.
  package var references: [ImageReference]

  /// The names of the packs that its layers are, the lowest first.
  package var packs: [String] { configuration.rootfs.layers.map(Self.pack) }

  /// Layers are packs of names that nobody else gives: images that share a layer share its pack.
  ///
  /// - Parameter layer: the digest of the layer uncompressed. 58 of its 64 digits are as many as a pack's name takes.
  package static func pack(_ layer: Digest) -> String { packPrefix + layer.hexadecimal.prefix(58) }

  package static let packPrefix = PackStore.layerPrefix

  /// As lists show it.
  package var shortID: String { String(id.hexadecimal.prefix(12)) }
  package var name: String { references.first?.familiar ?? shortID }

  /// The user's words in place of its own: `docker run`'s rules.
  ///
  /// - Parameters:
  ///   - words: the command line's.
  ///   - entrypoint: what replaces the image's; its own command then does not count.
  package func command(_ words: [String], entrypoint: [String]? = nil) -> [String] {
    let process = configuration.config
    let first = entrypoint ?? process?.entrypoint ?? []
    return first + (words.isEmpty && entrypoint == nil ? process?.command ?? [] : words)
  }

  /// What it says it listens on, each `PORT` or `PORT/TRANSPORT`, in their order.
  package var exposedPorts: [String] {
    (configuration.config?.exposedPorts ?? [:]).keys.sorted {
      ($0.utf8.count, $0) < ($1.utf8.count, $1)
    }
  }

  /// Its labels with the user's in their place, `KEY=VALUE`, by their keys.
  package func labels(_ user: [String]) -> [String] {
    var labels = (configuration.config?.labels ?? [:]).filter { !$0.key.isEmpty && !$0.key.contains("=") }
    for text in user {
      let key = text.prefix { $0 != "=" }
      labels[String(key)] = String(text.dropFirst(key.count + 1))
    }
    return labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
  }

  /// The image's environment with the user's variables in it, each name once.
  package func environment(_ user: [String]) -> [String] {
    var names: [Substring] = []
    var values: [Substring: String] = [:]
    for variable in (configuration.config?.environment ?? []) + user {
      let name = variable.prefix { $0 != "=" }
      if values.updateValue(variable, forKey: name) == nil { names.append(name) }
    }
    return names.compactMap { values[$0] }
  }
}

/// `images/ID/record`: what the store notes of an image.
package struct ImageRecord: Codable, Equatable, Sendable {
  /// When it came here.
  package var loaded: Date
  /// Bytes of all files of its layers.
  package var size: UInt64
  /// Where it came from: a file, or a reference with the manifest's digest.
  package var origin: String
}
