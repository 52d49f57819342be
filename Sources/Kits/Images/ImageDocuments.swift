import FoundationEssentials
import Packs

// The JSON of images (OCI image specification 1.1; Docker's "image manifest V2, schema 2" and image specification 1.2 have the same
// fields where they have them). All of it is hostile: numbers, texts and counts are checked where they are used.

/// What names a blob (OCI image specification, "descriptor").
package struct ImageDescriptor: Codable, Equatable, Sendable {
  package struct Platform: Codable, Equatable, Sendable {
    package var architecture: String
    package var os: String
    package var variant: String?

    package init(architecture: String, os: String, variant: String? = nil) {
      self.architecture = architecture
      self.os = os
      self.variant = variant
    }

    /// What novm's machines are.
    package var isOurs: Bool { os == "linux" && architecture == "amd64" }
    package var text: String { "\(os)/\(architecture)" + (variant.map { "/\($0)" } ?? "") }
  }

  package var mediaType: String?
  package var digest: Digest
  package var size: UInt64
  package var platform: Platform?
  package var annotations: [String: String]?

  package init(mediaType: String?, digest: Digest, size: UInt64) {
    self.mediaType = mediaType
    self.digest = digest
    self.size = size
  }

  /// A signature or statement about another image, and not one itself.
  package var isAttestation: Bool { annotations?["vnd.docker.reference.type"] != nil }
}

/// An index, or a manifest list: images for several platforms.
package struct ImageIndex: Codable, Equatable, Sendable {
  package var manifests: [ImageDescriptor]
}

/// A manifest: a configuration and layers, the lowest first.
package struct ImageManifest: Codable, Equatable, Sendable {
  package var schemaVersion: Int
  package var mediaType: String?
  package var config: ImageDescriptor
  package var layers: [ImageDescriptor]

  package init(schemaVersion: Int = 2, mediaType: String?, config: ImageDescriptor, layers: [ImageDescriptor]) {
    self.schemaVersion = schemaVersion
    self.mediaType = mediaType
    self.config = config
    self.layers = layers
  }

  /// More than any tool makes (Docker's limit is 127).
  package static let mostLayers = 500
}

/// `index.json` of a layout.
struct LayoutIndex: Encodable {
  var schemaVersion = 2
  var mediaType = "application/vnd.oci.image.index.v1+json"
  var manifests: [ImageDescriptor]
}

/// `manifest.json` of what `docker save` writes.
struct SavedImage: Codable {
  var configuration: String
  var tags: [String]?
  var layers: [String]

  enum CodingKeys: String, CodingKey {
    case configuration = "Config"
    case tags = "RepoTags"
    case layers = "Layers"
  }
}

/// A configuration: how the image's command is to be run, and what its layers unpack to.
package struct ImageConfiguration: Codable, Equatable, Sendable {
  package struct Process: Codable, Equatable, Sendable {
    package var user: String?
    package var exposedPorts: [String: Empty]?
    package var environment: [String]?
    package var entrypoint: [String]?
    package var command: [String]?
    package var volumes: [String: Empty]?
    package var workingDirectory: String?
    package var labels: [String: String]?
    package var stopSignal: String?
    package var healthcheck: Healthcheck?

    package init() {}

    enum CodingKeys: String, CodingKey {
      case user = "User"
      case exposedPorts = "ExposedPorts"
      case environment = "Env"
      case entrypoint = "Entrypoint"
      case command = "Cmd"
      case volumes = "Volumes"
      case workingDirectory = "WorkingDir"
      case labels = "Labels"
      case stopSignal = "StopSignal"
      case healthcheck = "Healthcheck"
    }
  }

  package struct Empty: Codable, Equatable, Sendable {}

  /// Docker's (its image specification 1.2): no specification of OCI's has it, and one that makes no sense is none.
  package struct Healthcheck: Codable, Equatable, Sendable {
    /// `NONE`, `CMD` and a command's words, or `CMD-SHELL` and a shell's.
    package var test: [String]?
    // In nanoseconds; 0 is the same as none.
    package var interval: Int64?
    package var timeout: Int64?
    package var startPeriod: Int64?
    package var startInterval: Int64?
    package var retries: Int64?

    package init(from decoder: any Decoder) {
      guard let keys = try? decoder.container(keyedBy: CodingKeys.self) else { return }
      test = try? keys.decodeIfPresent([String].self, forKey: .test)
      interval = try? keys.decodeIfPresent(Int64.self, forKey: .interval)
      timeout = try? keys.decodeIfPresent(Int64.self, forKey: .timeout)
      startPeriod = try? keys.decodeIfPresent(Int64.self, forKey: .startPeriod)
      startInterval = try? keys.decodeIfPresent(Int64.self, forKey: .startInterval)
      retries = try? keys.decodeIfPresent(Int64.self, forKey: .retries)
    }

    /// The program and its arguments; nil where nothing is checked.
    package var command: [String]? {
      guard let words = test, words.count > 1 else { return nil }
      switch words[0] {
      case "CMD": return Array(words.dropFirst())
      case "CMD-SHELL": return ["/bin/sh", "-c", words[1]]
      default: return nil
      }
    }

    enum CodingKeys: String, CodingKey {
      case test = "Test"
      case interval = "Interval"
      case timeout = "Timeout"
      case startPeriod = "StartPeriod"
      case startInterval = "StartInterval"
      case retries = "Retries"
    }
  }

  package struct RootFS: Codable, Equatable, Sendable {
    package var type: String
    /// Of each layer uncompressed, the lowest first.
    package var layers: [Digest]

    enum CodingKeys: String, CodingKey {
      case type
      case layers = "diff_ids"
    }
  }

  package struct History: Codable, Equatable, Sendable {
    package var created: String?
    package var createdBy: String?
    package var comment: String?
    package var isEmpty: Bool?

    enum CodingKeys: String, CodingKey {
      case created, comment
      case createdBy = "created_by"
      case isEmpty = "empty_layer"
    }
  }

  package var created: String?
  package var architecture: String?
  package var os: String?
  package var config: Process?
  package var rootfs: RootFS
  package var history: [History]?

  package var platform: ImageDescriptor.Platform {
    ImageDescriptor.Platform(architecture: architecture ?? "amd64", os: os ?? "linux")
  }
}

package enum ImageJSON {
  /// Bytes of the largest document that is read: what registries refuse to take, too.
  package static let limit = 4 << 20

  static func encode(_ value: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Texts, whole numbers, lists and what was JSON before: always JSON.
    return (try? encoder.encode(value)).map { Array($0) } ?? []
  }

  static func decode<Value: Decodable>(_ bytes: [UInt8], of source: String) throws(ImageError) -> Value {
    guard bytes.count <= limit else { throw .malformed(source: source, "a description of more than 4 MiB") }
    do {
      return try JSONDecoder().decode(Value.self, from: Data(bytes))
    } catch {
      throw .malformed(source: source, "a description that does not follow the OCI image specification")
    }
  }
}
