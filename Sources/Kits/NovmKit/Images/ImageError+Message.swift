import Host
import Images
import Packs

extension ImageError {
  /// One line: the thing that is wrong, and the mend.
  package var message: String {
    switch self {
    case .reference(let text):
      "'\(String(printable: Array(text.utf8)))' is no image's name; such as debian:12 or example.org/team/app:1.0"
    case .longName(let text):
      """
      \(text): a name of more than 255 bytes, a / counting as three; give a shorter one, or leave out the tag where \
      there is a digest
      """
    case .noSuchImage(let text):
      "no image \(text); `novm images` shows those there are, and `novm load` brings one from a file"
    case .ambiguous(let text): "\(text): several images begin so; give more of the identifier"
    case .inUse(let image, let user):
      "the image \(image) is in use by \(user); remove that first"
        + (user.hasPrefix("the names") ? ", or give --force to remove all of them" : "")
    case .pack(let error): error.message
    case .system(let doing, let path, let error): "\(path): cannot \(doing): \(error.description)"
    case .notAnImage(let source):
      "\(source): neither an OCI image layout nor what `docker save` writes; a tree of files is for `novm pack import`"
    case .malformed(let source, let reason): "\(source): \(String(printable: Array(reason.utf8)))"
    case .platform(let source, let has):
      "\(source): no image for linux/amd64; it is for \(has.joined(separator: ", "))"
    case .digest(let source, let expected):
      "\(source): what is there for \(expected) is something else; it is damaged, or not what it should be"
    case .several(let source, let names):
      "\(source): \(names.count) images; name one of them with --name: \(names.joined(separator: ", "))"
    case .change(let text):
      "--change: '\(String(printable: Array(text.utf8)))' cannot be with the variables that the image has"
    case .damaged(let id): "the image \(id) is damaged; remove it with `novm rmi` and load it anew"
    }
  }
}
