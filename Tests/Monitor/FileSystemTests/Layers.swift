import FUSE
import Foundation
import Glibc
import Host

@testable import FileSystem

/// Host directories for one test, removed when it is over: layers `lower` and `upper`, and whatever else is asked for.
final class Layers: Sendable {
  let base: String

  init(in directory: String = FileManager.default.temporaryDirectory.path) {
    base = directory + "/novm-tree-\(UUID().uuidString)"
    mkdir(base)
    // Where nobody else comes what the guest makes is real.
    chmod(base, 0o700)
    for name in ["lower", "upper"] { mkdir(base + "/" + name) }
  }

  deinit {
    _ = try? FileManager.default.removeItem(atPath: base)
  }

  var lower: String { base + "/lower" }
  var upper: String { base + "/upper" }

  func mkdir(_ path: String) {
    try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  /// Makes a file of the lower layer, and the directories above it.
  @discardableResult
  func lower(_ path: String, _ text: String = "", mode: mode_t = 0o644) -> String {
    put(lower + "/" + path, text, mode: mode)
  }

  @discardableResult
  func put(_ path: String, _ text: String = "", mode: mode_t = 0o644) -> String {
    mkdir((path as NSString).deletingLastPathComponent)
    try! Data(text.utf8).write(to: URL(fileURLWithPath: path))
    chmod(path, mode)
    return path
  }

  func symlink(_ path: String, to target: String) {
    mkdir((path as NSString).deletingLastPathComponent)
    Glibc.symlink(target, path)
  }

  /// Contents of a host file; nil where there is none.
  func contents(_ path: String) -> String? {
    (try? Data(contentsOf: URL(fileURLWithPath: path))).map { String(decoding: $0, as: UTF8.self) }
  }

  func isWhiteout(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFCHR && status.st_rdev == 0
  }

  func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  func attribute(_ path: String, _ name: String) -> String? {
    let itself = FileCalls.itself
    guard let file = try? FileDescriptor.open(path, OpenFlags.read),
      let value = try? FileCalls.attribute(file.raw, itself.span, Array(name.utf8) + [0])
    else { return nil }
    return String(decoding: value, as: UTF8.self)
  }

  func setAttribute(_ path: String, _ name: String, _ value: String) {
    let itself = FileCalls.itself
    let file = try! FileDescriptor.open(path, OpenFlags.read)
    try! FileCalls.setAttribute(file.raw, itself.span, Array(name.utf8) + [0], Array(value.utf8))
  }

  func tree(
    shares: [Share] = [], ownership: Ownership = .forThisUser, users: IDMap = IDMap(), groups: IDMap = IDMap()
  ) throws -> LayeredTree {
    try LayeredTree(
      reads: [LayerMap(guestPath: "/", hostPath: lower)], writes: [LayerMap(guestPath: "/", hostPath: upper)],
      shares: shares, ownership: ownership, users: users, groups: groups)
  }

  func client(
    shares: [Share] = [], ownership: Ownership = .forThisUser, offering: InitFlags = FUSEClient.linux
  ) throws -> FUSEClient {
    FUSEClient(FileSystemServer(try tree(shares: shares, ownership: ownership)), offering: offering)
  }
}
