/// What `--mount` takes, Docker's longer way to say `--volume` and `--tmpfs`.
package enum MountArgument: Equatable, Sendable {
  case volume(VolumeMap)
  case share(TreeShare)
  case tmpfs(TemporaryMap)

  /// Parses `KEY=VALUE[,KEY=VALUE]...`: type (bind, volume, tmpfs), source, target, readonly, tmpfs-size, tmpfs-mode; with the other
  /// names that Docker has for them.
  package init(_ bytes: [UInt8], directory: [UInt8]) throws(NovmError) {
    var values: [String: [UInt8]] = [:]
    for part in bytes.split(separator: UInt8(ascii: ",")) {
      let words = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(decoding: words[0], as: UTF8.self)
      guard let key = Self.names[name] else { throw .mount(bytes, name) }
      values[key] = words.count > 1 ? Array(words[1]) : []
    }
    func text(_ key: String) -> String? { values[key].map(ByteString.string) }
    guard let target = values["target"], !target.isEmpty else { throw .mount(bytes, nil) }
    let flag = text("readonly")
    let isReadOnly = flag != nil && !["false", "0"].contains(flag)
    let type = text("type") ?? "volume"
    for (key, only) in [("readonly", "bind"), ("tmpfs-size", "tmpfs"), ("tmpfs-mode", "tmpfs")]
    where type != only && values[key] != nil && (key != "readonly" || isReadOnly) {
      throw .mountKey(bytes, key, type: only)
    }
    let arrow = Array("=>".utf8)
    switch (type, values["source"]) {
    case ("bind", let source?):
      var share = try TreeShare(parsing: target + arrow + source + Array(":rw".utf8), directory: directory)
      share.isReadOnly = isReadOnly
      self = .share(share)
    case ("volume", nil): self = .volume(try VolumeMap(ownAt: target))
    case ("volume", let source?): self = .volume(try VolumeMap(parsing: source + arrow + target))
    case ("tmpfs", nil):
      var options: [String] = []
      if let size = text("tmpfs-size") { options.append("size=\(size)") }
      if let mode = text("tmpfs-mode") { options.append("mode=\(mode)") }
      let path = ByteString.string(target)
      self = .tmpfs(
        try TemporaryMap(parsing: options.isEmpty ? path : "\(path):\(options.joined(separator: ","))"))
    default: throw .mount(bytes, nil)
    }
  }

  private static let names = [
    "type": "type", "source": "source", "src": "source", "target": "target", "destination": "target", "dst": "target",
    "readonly": "readonly", "ro": "readonly", "tmpfs-size": "tmpfs-size", "tmpfs-mode": "tmpfs-mode",
  ]
}
