import Glibc
import Testing

@testable import Host

struct PathTests {
  @Test func namesNeedNotBeText() throws {
    var template = Array("/tmp/novm-path.XXXXXX\0".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let directory = Path(template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
    let file = Path(directory.bytes + [0x2f, 0xff, 0x0a])
    defer {
      file.withCString { _ = unlink($0) }
      directory.withCString { _ = rmdir($0) }
    }

    try FileDescriptor.create(file).writeAll([1, 2, 3])
    var bytes = [UInt8](repeating: 0, count: 8)
    #expect(try FileDescriptor.open(file, O_RDONLY).read(into: &bytes) == 3)
    #expect(access("\(directory)/\u{FFFD}\n", F_OK) == -1)
    #expect(file.description == "\(directory)/\\xff\\x0a")
  }

  @Test func literalsAndSuffixes() {
    #expect(Path("/tmp/v") + "_1024" == "/tmp/v_1024")
    #expect(("" as Path).isEmpty)
  }
}
