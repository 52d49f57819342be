import FileSystem

/// A host directory that is in a machine's tree as it is, changed by either side.
package struct TreeShare: Equatable, Sendable {
  package enum Caching: String, CaseIterable, Sendable {
    case none, auto, always
  }

  package var map: TreeMap
  package var isReadOnly = false
  package var caching = Caching.auto
  /// Whether programs in the guest that watch it are told what the host changes.
  package var isWatched = false
  /// Set where it is a device of its own, which `noguest` mounts; part of the tree otherwise.
  package var tag: String?

  package init(_ map: TreeMap, isReadOnly: Bool = false, caching: Caching = .auto) {
    self.map = map
    self.isReadOnly = isReadOnly
    self.caching = caching
  }

  /// Parses `GUEST=>HOST[:OPTION[,OPTION]...]`, the options being `ro`, `rw`, `cache=none`, `auto`
  /// or `always`, `notify`, `suid` and `dev`.
  ///
  /// What follows the last colon belongs to the path unless all of it is options, so that a path may have colons; one that
  /// ends like options is written with some behind it.
  package init(parsing bytes: [UInt8], directory: [UInt8]) throws(NovmError) {
    if let colon = bytes.lastIndex(of: UInt8(ascii: ":")), let options = Self.options(bytes[(colon + 1)...]) {
      self.init(try TreeMap(parsing: Array(bytes[..<colon]), directory: directory))
      for option in options {
        switch option {
        case .access(let isReadOnly): self.isReadOnly = isReadOnly
        case .caching(let caching): self.caching = caching
        case .watch: isWatched = true
        case .privilege(let privilege): map.privileges.insert(privilege)
        }
      }
    } else {
      self.init(try TreeMap(parsing: bytes, directory: directory))
    }
  }

  /// As novmm's `--share` takes it, which does not watch.
  package var argument: [UInt8] {
    let options = "\(isReadOnly ? "ro" : "rw"),cache=\(caching.rawValue)\(map.privileges.options)"
    return map.argument + Array(":\(options)\(tag.map { ",tag=\($0)" } ?? "")".utf8)
  }

  /// As a description of a machine has it, with all that ``init(parsing:directory:)`` takes.
  package var settingsArgument: [UInt8] { argument + (isWatched ? Array(",notify".utf8) : []) }

  private enum Option: Equatable {
    case access(isReadOnly: Bool)
    case caching(Caching)
    case watch
    case privilege(Privileges)
  }

  private static func options(_ text: ArraySlice<UInt8>) -> [Option]? {
    var options: [Option] = []
    for word in text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      switch String(decoding: word, as: UTF8.self) {
      case "ro": options.append(.access(isReadOnly: true))
      case "rw": options.append(.access(isReadOnly: false))
      case "notify": options.append(.watch)
      case let word:
        if let privilege = Privileges(option: word) {
          options.append(.privilege(privilege))
          continue
        }
        guard word.hasPrefix("cache="), let caching = Caching(rawValue: String(word.dropFirst(6))) else { return nil }
        options.append(.caching(caching))
      }
    }
    // Both at once say nothing.
    let contradict =
      options.contains(.access(isReadOnly: true)) && options.contains(.access(isReadOnly: false))
      || options.contains(.watch) && options.contains(.caching(.always))
    return contradict ? nil : options
  }
}
