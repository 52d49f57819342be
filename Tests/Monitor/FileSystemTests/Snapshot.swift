import Foundation
import Glibc
import Host

@testable import FileSystem

/// All that is in a tree, path by path, to compare with another: types, permissions, links and contents.
enum Snapshot {
  /// Makes something at a random path, the same in all of `roots`.
  static func populate(_ roots: [String], _ layers: Layers, _ random: inout ModelTests.Random) {
    let path = Operation.path(using: &random)
    let directory = path.split(separator: "/").dropLast().joined(separator: "/")
    for root in roots {
      try? FileManager.default.createDirectory(atPath: root + "/" + directory, withIntermediateDirectories: true)
    }
    let isDirectory = Bool.random(using: &random)
    let text = String(random.next() % 1000)
    for root in roots where !layers.exists(root + "/" + path) {
      if isDirectory {
        Glibc.mkdir(root + "/" + path, 0o755)
      } else {
        _ = FileManager.default.createFile(atPath: root + "/" + path, contents: Data(text.utf8))
      }
    }
  }

  static func take(_ client: FUSEClient, _ path: String) throws -> [String: String] {
    var all: [String: String] = [:]
    for entry in try client.list(path) {
      let inner = path + "/" + entry.name
      let attributes = try client.attributes(inner)
      switch attributes.type {
      case FileType.directory:
        all[inner] = "directory \(String(attributes.permissions, radix: 8))"
        all.merge(try take(client, inner)) { first, _ in first }
      case FileType.symlink: all[inner] = "link \(try client.readlink(inner))"
      default:
        all[inner] =
          "file \(String(attributes.permissions, radix: 8)) \(attributes.links) \(try client.contents(inner))"
      }
    }
    return all
  }

  static func take(plain root: String, _ path: String) -> [String: String] {
    var all: [String: String] = [:]
    for name in try! FileManager.default.contentsOfDirectory(atPath: root + path) {
      let inner = path + "/" + name
      var status = stat()
      lstat(root + inner, &status)
      let mode = String(status.st_mode & 0o7777, radix: 8)
      switch UInt32(status.st_mode) & FileType.mask {
      case FileType.directory:
        all[inner] = "directory \(mode)"
        all.merge(take(plain: root, inner)) { first, _ in first }
      case FileType.symlink:
        all[inner] = "link \(try! FileManager.default.destinationOfSymbolicLink(atPath: root + inner))"
      default:
        let text = String(decoding: FileManager.default.contents(atPath: root + inner) ?? Data(), as: UTF8.self)
        all[inner] = "file \(mode) \(status.st_nlink) \(text)"
      }
    }
    return all
  }
}
