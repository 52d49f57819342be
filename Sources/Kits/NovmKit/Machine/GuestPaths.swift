import Glibc

/// Where a path of the guest leads, through the symbolic links of the tree's layers.
///
/// A map for `/lib/modules/X` on a tree whose `/lib` is a link to `usr/lib` belongs at `/usr/lib/modules/X`: a layer that
/// brought a directory `/lib` would hide the link, and with it all libraries.
struct GuestPaths {
  let layers: [TreeMap]

  /// The path with all links on the way followed, or the path itself where that leads nowhere.
  func resolve(_ path: [UInt8]) -> [UInt8] {
    var pending = Array(path.split(separator: Self.slash).map(Array.init).reversed())
    var resolved: [[UInt8]] = []
    var links = 0
    while let name = pending.popLast() {
      if name == [Self.dot] { continue }
      if name == [Self.dot, Self.dot] {
        _ = resolved.popLast()
        continue
      }
      guard let target = link(resolved + [name]) else {
        resolved.append(name)
        continue
      }
      links += 1
      // MAXSYMLINKS of the kernel.
      if links > 40 { return path }
      if target.first == Self.slash { resolved = [] }
      pending += target.split(separator: Self.slash).map(Array.init).reversed()
    }
    return [Self.slash] + resolved.joined(separator: [Self.slash])
  }

  /// Where a map belongs. A single file takes the place of a link, of which only the way to it is followed.
  func place(of map: TreeMap) -> [UInt8] {
    guard map.isFile, let slash = map.guest.lastIndex(of: Self.slash) else { return resolve(map.guest) }
    let directory = resolve(Array(map.guest[..<slash]))
    return (directory == [Self.slash] ? [] : directory) + map.guest[slash...]
  }

  /// The target if the topmost layer that has this path has a link there.
  private func link(_ parts: [[UInt8]]) -> [UInt8]? {
    for layer in layers.reversed() {
      let root = layer.guest.split(separator: Self.slash).map(Array.init)
      // A layer's own root, and what lies above it, are directories.
      if root.starts(with: parts) { return nil }
      guard parts.starts(with: root) else { continue }
      let host = layer.host + parts.dropFirst(root.count).flatMap { [Self.slash] + $0 } + [0]
      var status = stat()
      var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
      let count = unsafe host.withUnsafeBytes { bytes -> Int? in
        let name = unsafe bytes.baseAddress!.assumingMemoryBound(to: CChar.self)
        guard unsafe lstat(name, &status) == 0 else { return nil }
        guard status.st_mode & S_IFMT == S_IFLNK else { return 0 }
        return unsafe target.withUnsafeMutableBytes { buffer in
          unsafe readlink(name, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
        }
      }
      if let count { return count > 0 ? Array(target[..<count]) : nil }
    }
    return nil
  }

  private static let slash = UInt8(ascii: "/")
  private static let dot = UInt8(ascii: ".")
}
