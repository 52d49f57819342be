import Host
import Packs

/// What can go wrong with images. Only the program turns it into words.
package enum ImageError: Error, Equatable {
  /// Not `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`.
  case reference(String)
  /// More than names of files may have.
  case longName(String)
  case noSuchImage(String)
  /// More than one image begins so.
  case ambiguous(String)
  /// What a machine has, or a name of another image leads to.
  case inUse(String, by: String)
  /// A layer, or the store that keeps layers as packs.
  case pack(PackError)
  case system(doing: String, path: String, Errno)
  /// Neither an OCI image layout nor what `docker save` writes.
  case notAnImage(source: String)
  /// What is there does not follow the specification, or is more than is believed of an image.
  case malformed(source: String, String)
  /// There is something else for each of these platforms.
  case platform(source: String, has: [String])
  /// What came is not what the digest says.
  case digest(source: String, expected: Digest)
  /// Several images, of which one is to be named.
  case several(source: String, [String])
  /// The description of an image in the store cannot be read.
  case damaged(String)
  /// What a line of a Containerfile is to say, but cannot with the image's variables.
  case change(String)
}
