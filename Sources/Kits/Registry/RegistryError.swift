import Download
import Images

/// Why a registry gave or took nothing. Only the program turns it into words.
package enum RegistryError: Error, Equatable {
  case download(DownloadError)
  case image(ImageError)
  /// No such image, tag or repository, or one that not everybody may know of.
  case noSuchImage(String)
  /// The registry wants to know who asks; and whether it was told.
  case denied(registry: String, image: String, wasTold: Bool, String)
  /// An answer that is none of the OCI distribution specification.
  case answer(registry: String, String)
  /// Its certificate is not to be trusted, or it speaks no TLS.
  case untrusted(registry: String, String)
  /// The registry's configuration says that nothing is to be had from there.
  case blocked(String)
  /// More than the registry gives at a time.
  case busy(registry: String)
  /// A file of configuration or credentials.
  case configuration(path: String, String)
  /// A helper for credentials.
  case helper(String, String)
  /// A short name that may stand for several.
  case shortName(String, registries: [String])
  /// What stands where a registry should has neither a `.` nor a port.
  case noRegistry(String)
  /// Schema 1.
  case oldFormat(String)
  /// A layer's decoder ended without a word, or said why not.
  case layer(String, String)
}
