import Foundation
import Host
import HostTesting
import Testing

@testable import Store

struct TreeCopyTests {
  let scratch: TemporaryDirectory

  init() throws {
    scratch = try TemporaryDirectory()
    for directory in ["tree", "copy", "names"] { #expect(mkdir("\(scratch.path)/\(directory)", 0o755) == 0) }
  }

  private func path(_ name: String) -> String { "\(scratch.path)/\(name)" }

  private func copy(excluding excluded: Set<[UInt8]> = []) throws -> [UInt64: UInt64] {
    func open(_ name: String) throws -> FileDescriptor { try FileDescriptor.open(path(name), OpenFlags.directory) }
    var copy = TreeCopy(names: try open("names"), excluding: excluded)
    try copy.run(from: try open("tree"), to: try open("copy"))
    return copy.moved
  }

  private func status(_ name: String) -> stat {
    var status = stat()
    #expect(lstat(path(name), &status) == 0, "\(name)")
    return status
  }

  private func set(_ attribute: String, _ value: String, of name: String) throws {
    let place = try FileDescriptor.open(path(name), OpenFlags.path)
    let itself = FileCalls.itself
    try FileCalls.setAttribute(place.raw, itself.span, Array(attribute.utf8) + [0], Array(value.utf8))
  }

  private func make(_ name: String, _ content: String, mode: mode_t = 0o644) {
    #expect(FileManager.default.createFile(atPath: path(name), contents: Data(content.utf8)))
    #expect(chmod(path(name), mode) == 0)
  }

  private func attribute(_ name: String, _ attribute: String) -> [UInt8]? {
    guard let place = try? FileDescriptor.open(path(name), OpenFlags.path) else { return nil }
    let itself = FileCalls.itself
    return try? FileCalls.attribute(place.raw, itself.span, Array(attribute.utf8) + [0])
  }

  @Test func whatIsThereIsThereTwice() throws {
    #expect(mkdir(path("tree/a"), 0o751) == 0)
    make("tree/a/file", "words", mode: 0o640)
    make("tree/set", "program", mode: 0o4755)
    make("tree/shut", "of nobody", mode: geteuid() == 0 ? 0 : 0o400)
    #expect(link(path("tree/a/file"), path("tree/other")) == 0)
    #expect(symlink("a/nowhere", path("tree/link")) == 0)
    #expect(mkfifo(path("tree/fifo"), 0o600) == 0)
    #expect(mknod(path("tree/gone"), S_IFCHR, 0) == 0)
    try set("user.overlay.opaque", "y", of: "tree/a")
    try set("user.novm_inode", "17", of: "tree/a/file")
    for name in ["tree/a/file", "tree/link", "tree/a", "tree"] {
      let times = [timespec(tv_sec: 1000, tv_nsec: 5), timespec(tv_sec: 2000, tv_nsec: 7)]
      #expect(utimensat(AT_FDCWD, path(name), times, AT_SYMLINK_NOFOLLOW) == 0)
    }
    let moved = try copy()
    for name in ["", "/a", "/a/file", "/set", "/shut", "/link", "/fifo", "/gone"] {
      let (old, new) = (status("tree" + name), status("copy" + name))
      #expect(old.st_mode == new.st_mode, "\(name)")
      if old.st_mode & S_IFMT != S_IFDIR { #expect(old.st_size == new.st_size, "\(name)") }
      #expect(old.st_uid == new.st_uid && old.st_gid == new.st_gid && old.st_nlink == new.st_nlink, "\(name)")
      if name != "/gone" {
        #expect(old.st_mtim.tv_sec == new.st_mtim.tv_sec && old.st_mtim.tv_nsec == new.st_mtim.tv_nsec, "\(name)")
        #expect(moved[UInt64(old.st_ino)] == UInt64(new.st_ino), "\(name)")
      }
    }
    #expect(status("copy/a").st_mode == status("tree/a").st_mode)
    #expect(status("copy/a/file").st_ino == status("copy/other").st_ino)
    #expect(try String(contentsOfFile: path("copy/other"), encoding: .utf8) == "words")
    #expect(status("copy/gone").st_rdev == 0 && status("copy/gone").st_mode & S_IFMT == S_IFCHR)
    #expect(attribute("copy/a", "user.overlay.opaque") == [UInt8(ascii: "y")])
    #expect(attribute("copy/a/file", "user.novm_inode") == Array("17".utf8))
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path("copy/link")) == "a/nowhere")
    #expect(try FileManager.default.contentsOfDirectory(atPath: path("names")).isEmpty)
  }

  @Test func holesStayHoles() throws {
    make("tree/sparse", "")
    let file = try FileDescriptor.open(path("tree/sparse"), O_RDWR)
    #expect(pwrite(file.raw, "end", 3, 64 << 20) == 3)
    #expect(ftruncate(file.raw, 128 << 20) == 0)
    _ = try copy()
    let new = status("copy/sparse")
    #expect(new.st_size == 128 << 20 && new.st_blocks < 1 << 11)
    var bytes = [UInt8](repeating: 0, count: 4)
    let copied = try FileDescriptor.open(path("copy/sparse"), O_RDONLY)
    #expect(pread(copied.raw, &bytes, 4, 64 << 20) == 4 && bytes == Array("end".utf8) + [0])
  }

  @Test func whatIsNobodysStaysAway() throws {
    #expect(mkdir(path("tree/.work"), 0o700) == 0 && mkdir(path("tree/a"), 0o700) == 0)
    #expect(mkdir(path("tree/a/.work"), 0o700) == 0)
    _ = try copy(excluding: [Array(".work\0".utf8)])
    #expect(access(path("copy/.work"), F_OK) != 0 && access(path("copy/a/.work"), F_OK) == 0)
  }

  @Test func depthHasABound() throws {
    var deepest = "tree"
    for _ in 0..<TreeCopy.depthLimit {
      deepest += "/d"
      #expect(mkdir(path(deepest), 0o700) == 0)
    }
    #expect(throws: Errno(ELOOP)) { try copy() }
  }
}
