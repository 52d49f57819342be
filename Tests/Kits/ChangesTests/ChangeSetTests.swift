import FileSystem
import Host
import Testing

@testable import Changes

struct ChangeSetTests {
  let trees: Trees

  init() throws { trees = try Trees() }

  @Test func whatWasAddedChangedAndDeleted() throws {
    try trees.shell(
      """
      cd lower; mkdir -p etc/deep var; echo one >etc/one; echo two >etc/two; echo three >etc/deep/three; echo v >var/v
      ln -s one etc/link; cd ../upper
      mkdir -p etc; echo ONE >etc/one; mknod etc/two c 0 0; echo new >etc/new; ln -s two etc/link; mkfifo etc/pipe
      mknod var c 0 0
      """)
    #expect(
      try trees.lines() == [
        "changed /etc/link symlink: content", "added /etc/new file", "changed /etc/one file: content",
        "added /etc/pipe fifo", "deleted /etc/two file", "deleted /var directory",
      ])
    #expect(try trees.lines("/etc/one", "/var") == ["changed /etc/one file: content", "deleted /var directory"])
    #expect(try trees.lines("/et") == [])
  }

  @Test func whatIsTheSameIsNoChange() throws {
    try trees.shell(
      """
      mkdir -p lower/d; head -c 300000 /dev/urandom >lower/d/f; cp -a lower/d upper
      touch upper/d/f; mknod upper/never-there c 0 0
      """)
    for layer in ["lower", "upper"] { try trees.set("user.x", "1", on: "\(layer)/d/f") }
    #expect(try trees.lines() == [])
    try trees.shell("printf x | dd of=upper/d/f bs=1 seek=299999 conv=notrunc status=none; chmod 700 upper/d")
    #expect(try trees.lines() == ["changed /d directory: mode", "changed /d/f file: content"])
    try trees.shell("cp -a lower/d/f upper/d/f; chmod 755 upper/d")
    try trees.set("user.x", "2", on: "upper/d/f")
    #expect(try trees.lines() == ["changed /d/f file: attributes"])
  }

  @Test func replacedDirectoriesHideWhatWasInThem() throws {
    try trees.shell(
      """
      mkdir -p lower/d/sub lower/e; echo a >lower/d/a; echo b >lower/d/b; echo c >lower/d/sub/c; echo d >lower/d/sub/d
      mkdir -p upper/d/sub; echo a >upper/d/a; echo c >upper/d/sub/c; echo file >upper/e
      """)
    try trees.set("user.overlay.opaque", "y", on: "upper/d")
    #expect(
      try trees.lines() == ["deleted /d/b file", "deleted /d/sub/d file", "changed /e file: kind"])
  }

  @Test func theLayersBelowAreMerged() throws {
    try trees.shell(
      "mkdir more; echo 1 >lower/f; echo 2 >more/f; echo 2 >upper/f; echo g >more/g; mknod upper/g c 0 0")
    let more = LayerMap(guestPath: "/", hostPath: "\(trees.path)/more")
    #expect(try trees.lines(above: [more]) == ["deleted /g file"])
    #expect(try trees.lines() == ["changed /f file: content"])
  }

  @Test func namesOfOneFileAreCompared() throws {
    try trees.shell("echo a >lower/a; echo a >upper/a; ln upper/a upper/b")
    #expect(try trees.lines() == ["added /b file"])
  }

  @Test func namesAreBytes() throws {
    try trees.shell("echo x >upper/$'od\\xffd\\nname'")
    #expect(try trees.changes().changes.map(\.path) == [[UInt8]("/od".utf8) + [0xff] + [UInt8]("d\nname".utf8)])
  }
}
