/// What became of one path of a machine's tree.
package struct Change: Equatable, Sendable {
  package enum Kind: String, Sendable {
    case added, changed, deleted
  }

  package enum FileKind: String, Sendable {
    case file, directory, symlink, fifo, socket
    case characterDevice = "character device"
    case blockDevice = "block device"
  }

  /// What differs, of a path that was there before and is still.
  package struct Parts: OptionSet, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    package static let kind = Parts(rawValue: 1)
    /// Of a file its bytes, of a symlink its target, of a device its number.
    package static let content = Parts(rawValue: 2)
    package static let mode = Parts(rawValue: 4)
    package static let owner = Parts(rawValue: 8)
    package static let attributes = Parts(rawValue: 16)

    package var names: [String] {
      let all: [(Parts, String)] = [
        (.kind, "kind"), (.content, "content"), (.mode, "mode"), (.owner, "owner"), (.attributes, "attributes"),
      ]
      return all.filter { contains($0.0) }.map(\.1)
    }
  }

  /// The guest's, absolute. Names are bytes.
  package let path: [UInt8]
  package let kind: Kind
  /// What it is now; what it was, if it is gone.
  package let file: FileKind
  /// Of a file, in bytes.
  package let size: UInt64?
  package let parts: Parts
  /// Where a symbolic link leads, or led if it is gone.
  package var target: [UInt8]?

  package init(path: [UInt8], kind: Kind, file: FileKind, size: UInt64? = nil, parts: Parts = []) {
    self.path = path
    self.kind = kind
    self.file = file
    self.size = size
    self.parts = parts
  }
}
