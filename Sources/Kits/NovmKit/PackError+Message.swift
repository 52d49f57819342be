import Host
import Packs

extension PackError {
  /// One line: the thing that is wrong, and the mend.
  package var message: String {
    switch self {
    case .system(let operation, let path, let error):
      "\(text(path)): cannot \(operation.words): \(error.description)" + Self.mend(operation, error)
    case .invalidName(let name):
      "'\(name)' is no name of a pack; use 1 to 64 letters, digits, '.', '_', '-' and ':', the first a letter or digit"
    case .layerName(let name):
      "\(name): names that begin with layer: are those of images' layers, which come and go with images (novm rmi)"
    case .noSuchPack(let name, let store): "no pack \(name) in \(store); `novm pack ls` shows those there are"
    case .nameTaken(let name):
      "there is a pack \(name); give another name, or --replace to let this one have it"
    case .inUse(let name): "the pack \(name) is in use by a machine; wait for its end, or stop it"
    case .damagedPack(let name, let what):
      "the pack \(name) is damaged: \(what); remove it with `novm pack rm \(name)` and make it anew"
    case .noAttributes(let path):
      "\(path): its file system has no user attributes, which record owners and modes; "
        + "set NOVM_PACKS to a directory on ext4, XFS or Btrfs"
    case .archive(let path, let reason): "\(text(path)): \(reason)"
    case .image(let path):
      "\(text(path)): an image, as `docker save` writes it: layers and what goes with them, not a tree; import what "
        + "`docker export CONTAINER` writes, or the layers in it one by one"
    case .entry(let archive, let path, let fault): "\(text(archive)): \(text(path)): \(fault.message)"
    case .digest(let path, let expected, let actual):
      "\(text(path)): its digest is \(actual), not \(expected); it is damaged, or not what it should be"
    case .changed(let path): "\(text(path)): changed while it was read; try again when nobody writes to it"
    case .pattern(let pattern): "'\(pattern)' is no pattern; such as '*.o', '/usr/share/doc' or 'src/**/test'"
    case .limit(let source, let path, let fault):
      "\(text(source)): " + (path.isEmpty ? "" : "\(text(path)): ") + fault.message
    case .unrepresentable(let path, let reason): "\(text(path)): \(reason)"
    }
  }

  private func text(_ bytes: [UInt8]) -> String { String(printable: bytes) }

  private static func mend(_ operation: Operation, _ error: Errno) -> String {
    switch (operation, error) {
    case (.create, _), (.write, _), (.rename, _), (.remove, _), (.lock, _), (.link, _):
      switch error {
      case .accessDenied, .notPermitted, .readOnly: "; set NOVM_PACKS to a directory that you may write to"
      case .noSpace: "; make room, or set NOVM_PACKS to a directory on another disk"
      default: ""
      }
    default: ""
    }
  }
}

extension PackError.Operation {
  fileprivate var words: String { self == .attributes ? "read its attributes" : rawValue }
}

extension EntryFault {
  fileprivate var message: String {
    switch self {
    case .absolute: "an absolute name; an archive for a pack names files from its top, without a slash before them"
    case .climbs: "climbs out by '..'; nothing of this archive was taken"
    case .badName: "no name that a file can have; nothing of this archive was taken"
    case .beneath(let other): "lies beneath \(String(printable: other)), which is no directory; nothing was taken"
    case .linkTarget(let target): "a hard link to \(String(printable: target)), which is no file of the archive"
    case .replaces: "a directory and something else by one name; nothing of this archive was taken"
    case .kind: "a kind of file that no pack can have; nothing of this archive was taken"
    case .symlinkTarget: "a symbolic link to nothing; nothing of this archive was taken"
    }
  }
}

extension LimitFault {
  fileprivate var message: String {
    switch self {
    case .entries(let most): "more than \(most) files; nothing was taken"
    case .bytes(let most): "more than the \(most) bytes that there is room for, or --max-size; nothing was taken"
    case .attributes: "more extended attributes than Linux allows; nothing was taken"
    case .totalAttributes(let most): "more than \(most >> 20) MiB of extended attributes in all; nothing was taken"
    case .totalNames(let most): "more than \(most >> 20) MiB of names and targets of links in all; nothing was taken"
    case .trailing(let most):
      "more than \(most >> 20) MiB, decompressed, behind the end of the archive; nothing was taken"
    }
  }
}
