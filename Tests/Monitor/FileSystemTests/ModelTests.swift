import Foundation
import Glibc
import Host
import HostTesting
import Testing

@testable import FileSystem

/// Random sequences of operations on a layered tree and on a plain directory that began as a copy of it: what
/// succeeds, and in the end every file, must be the same.
///
/// Directories of a lower layer do not move (EXDEV); what is refused so is not tried on the plain directory.
struct ModelTests {
  struct Random: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var value = state
      value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
      value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
      return value ^ (value >> 31)
    }
  }

  enum Step {
    case operation(Operation)
    /// The machine ends, and another one goes on with what it wrote.
    case restart
  }

  @Test(arguments: 1...8, [Ownership.real, .recorded])
  func behavesAsAPlainDirectory(seed: UInt64, ownership: Ownership) throws {
    if ownership == .real { try Need.toGoOn("root", Need.isRoot) }
    try behaves(seed: seed, ownership)
  }

  /// - Parameter directory: where all of it lies; a temporary directory if nil.
  func behaves(seed: UInt64, _ ownership: Ownership, in directory: String? = nil) throws {
    var random = Random(state: seed)
    var steps: [Step] = []
    for number in 1...400 {
      steps.append(.operation(.random(using: &random)))
      if number % 100 == 0 { steps.append(.restart) }
    }
    guard let difference = try difference(steps, seed: seed, ownership, directory) else { return }
    let short = shrink(steps) { (try? self.difference($0, seed: seed, ownership, directory)) ?? nil != nil }
    let last = try self.difference(short, seed: seed, ownership, directory) ?? "gone"
    Issue.record("seed \(seed), \(ownership): \(difference); short: \(short): \(last)")
  }

  /// How the tree first differs from the plain directory.
  private func difference(
    _ steps: [Step], seed: UInt64, _ ownership: Ownership, _ directory: String?
  ) throws -> String? {
    let layers = directory.map { Layers(in: $0) } ?? Layers()
    let plain = layers.base + "/plain"
    layers.mkdir(plain)
    var random = Random(state: ~seed)
    for _ in 0..<20 { Snapshot.populate([layers.lower, plain], layers, &random) }
    // Half of them with a client that tells of its opens.
    let offering = seed % 2 == 0 ? FUSEClient.linux : FUSEClient.withOpens
    var client = try layers.client(ownership: ownership, offering: offering)
    defer { client.server.close() }
    for (number, step) in steps.enumerated() {
      switch step {
      case .operation(let operation):
        let got = operation.run(on: client)
        if got == Errno.crossDevice { continue }
        let expected = operation.run(onPlain: plain)
        // Which of several errors comes first is for the guest's kernel to say, which walks the paths.
        if (got == nil) != (expected == nil) {
          return "step \(number), \(operation): \(String(describing: got)), not \(String(describing: expected))"
        }
      case .restart:
        client.server.close()
        client = try layers.client(ownership: ownership, offering: offering)
        let (seen, expected) = (try Snapshot.take(client, ""), Snapshot.take(plain: plain, ""))
        if seen != expected { return "step \(number): \(seen), not \(expected)" }
      }
    }
    return nil
  }
}

/// One operation, as a client of the tree and as a system call do it.
enum Operation {
  case mkdir(String)
  case rmdir(String)
  case unlink(String)
  case write(String, String)
  case truncate(String, UInt64)
  case rename(String, String, UInt32)
  case link(String, String)
  case symlink(String, String)
  case chmod(String, UInt32)

  static func path(using random: inout ModelTests.Random) -> String {
    let depth = Int.random(in: 1...3, using: &random)
    return (0..<depth).map { _ in ["a", "b", "c", "d"].randomElement(using: &random)! }.joined(separator: "/")
  }

  static func random(using random: inout ModelTests.Random) -> Operation {
    let first = path(using: &random)
    let second = path(using: &random)
    switch Int.random(in: 0..<12, using: &random) {
    case 0: return .mkdir(first)
    case 1: return .rmdir(first)
    case 2, 3: return .unlink(first)
    case 4, 5: return .write(first, String(random.next() % 10_000_000))
    case 6: return .truncate(first, random.next() % 20)
    case 7, 8: return .rename(first, second, [0, 0, 1, 2].randomElement(using: &random)!)
    case 9: return .link(first, second)
    // To nowhere: walking through links is the guest kernel's task.
    case 10: return .symlink(first, "nowhere/" + second)
    default:
      // Who is not root could not look into the plain directory any more.
      let least: UInt32 = geteuid() == 0 ? 0 : 0o700
      return .chmod(first, [0o600, 0o644, 0o755, 0o4711].randomElement(using: &random)! | least)
    }
  }

  func run(on client: FUSEClient) -> Errno? {
    do {
      switch self {
      case .mkdir(let path): try client.mkdir(path, 0o755)
      case .rmdir(let path): try client.rmdir(path)
      case .unlink(let path): try client.unlink(path)
      case .write(let path, let text):
        if let node = try? client.node(path) {
          let type = try client.attributes(of: node).type
          if type == FileType.directory { return .isDirectory }
          if type == FileType.symlink { return .tooManySymlinks }
        }
        try client.put(path, text)
      case .truncate(let path, let length):
        let type = try client.attributes(path).type
        if type == FileType.symlink { return .tooManySymlinks }
        try client.set(path, size: length)
      case .rename(let old, let new, let flags): try client.rename(old, new, flags: flags)
      case .link(let old, let new): try client.link(old, new)
      case .symlink(let path, let target): try client.symlink(path, to: target)
      case .chmod(let path, let mode):
        if try client.attributes(path).type == FileType.symlink { return .tooManySymlinks }
        try client.set(path, mode: mode)
      }
      return nil
    } catch {
      return error as? Errno
    }
  }

  func run(onPlain root: String) -> Errno? {
    func check(_ result: Int32) -> Errno? { result == 0 ? nil : Errno(errno) }
    func open(_ path: String, _ flags: Int32) -> Errno? {
      let file = Glibc.open(root + "/" + path, flags | O_NOFOLLOW, 0o644)
      if file < 0 { return Errno(errno) }
      fchmod(file, 0o644)
      close(file)
      return nil
    }
    switch self {
    case .mkdir(let path):
      let failure = check(Glibc.mkdir(root + "/" + path, 0o755))
      if failure == nil { Glibc.chmod(root + "/" + path, 0o755) }
      return failure
    case .rmdir(let path): return check(Glibc.rmdir(root + "/" + path))
    case .unlink(let path): return check(Glibc.unlink(root + "/" + path))
    case .write(let path, let text):
      var status = stat()
      let isThere = lstat(root + "/" + path, &status) == 0
      let file = Glibc.open(root + "/" + path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o644)
      if file < 0 { return Errno(errno) }
      if !isThere { fchmod(file, 0o644) }
      _ = text.withCString { Glibc.write(file, $0, text.utf8.count) }
      close(file)
      // Root's write does not clear set-id bits, and neither does the client's.
      if isThere { Glibc.chmod(root + "/" + path, status.st_mode & 0o7777) }
      return nil
    case .truncate(let path, let length):
      var status = stat()
      guard lstat(root + "/" + path, &status) == 0 else { return Errno(errno) }
      if status.st_mode & S_IFMT == S_IFLNK { return .tooManySymlinks }
      let failure = check(Glibc.truncate(root + "/" + path, Int(length)))
      if failure == nil { Glibc.chmod(root + "/" + path, status.st_mode & 0o7777) }
      return failure
    case .rename(let old, let new, let flags):
      let (old, new) = ([UInt8]((root + "/" + old).utf8) + [0], [UInt8]((root + "/" + new).utf8) + [0])
      do throws(Errno) {
        try FileCalls.rename(AT_FDCWD, old.span, to: AT_FDCWD, new.span, RenameFlags(rawValue: flags))
        return nil
      } catch {
        return error
      }
    case .link(let old, let new): return check(Glibc.link(root + "/" + old, root + "/" + new))
    case .symlink(let path, let target): return check(Glibc.symlink(target, root + "/" + path))
    case .chmod(let path, let mode):
      var status = stat()
      guard lstat(root + "/" + path, &status) == 0 else { return Errno(errno) }
      if status.st_mode & S_IFMT == S_IFLNK { return .tooManySymlinks }
      return check(Glibc.chmod(root + "/" + path, mode))
    }
  }
}
