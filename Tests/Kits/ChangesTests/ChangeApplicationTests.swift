import FileSystem
import Foundation
import Host
import HostTesting
import Testing

@testable import Changes

struct ChangeApplicationTests {
  let trees: Trees

  init() throws { trees = try Trees() }

  private func apply(since baseline: FileTime, overwriting: Bool = false, above more: [LayerMap] = []) throws {
    try ChangeApplication(try trees.changes(above: more), since: baseline, overwrites: overwriting).run()
  }

  @Test func allOfItIsBroughtBack() throws {
    try trees.shell(
      """
      cd lower; mkdir -p etc/old var; echo one >etc/one; chmod 640 etc/one
      echo two >etc/two; echo o >etc/old/o; echo v >var/v; ln -s one etc/link; echo plain >kind; cd ../upper
      mkdir -p etc/new/deep; echo ONE >etc/one; chmod 600 etc/one; mknod etc/two c 0 0
      echo n >etc/new/deep/n; touch -d @1000 etc/new/deep/n; chmod 500 etc/new/deep; ln -s two etc/link; mkfifo etc/pipe
      mknod etc/old c 0 0; mknod var c 0 0; mkdir kind; echo in >kind/in; echo a >etc/a; ln etc/a etc/b
      """)
    try trees.set("user.gone", "1", on: "lower/etc/one")
    try trees.set("user.x", "1", on: "upper/etc/one")
    try apply(since: trees.baseline())
    let expected = """
      .,directory,755 ./etc,directory,755 ./etc/a,regular file,644 ./etc/b,regular file,644 ./etc/link,symbolic link,777
      ./etc/new,directory,755 ./etc/new/deep,directory,500 ./etc/new/deep/n,regular file,644 ./etc/one,regular file,600
      ./etc/pipe,fifo,644 ./kind,directory,755 ./kind/in,regular file,644
      """
    let found = try trees.shell("cd lower; find . -print0 | sort -z | xargs -0 stat -c %n,%F,%a | paste -sd ' '")
    #expect(found == expected.split(separator: "\n").joined(separator: " ") + "\n")
    #expect(
      try trees.shell("cd lower/etc; cat one new/deep/n; readlink link; stat -c %Y new/deep/n") == "ONE\nn\ntwo\n1000\n"
    )
    #expect(try trees.attributes(of: "lower/etc/one") == "user.x")
    #expect(try trees.lines() == [])
  }

  /// Somebody else writes the directory too, and has the file and a link out of it change places.
  @Test func nothingIsFollowedThatAnotherPutsThere() throws {
    try trees.shell(
      """
      mkdir lower/d upper/d; echo text >lower/d/f; cp -p lower/d/f upper/d/f; chmod 755 upper/d/f
      echo secret >secret; chmod 600 secret; ln -s ../../secret lower/d/l
      """)
    let set = try trees.changes()
    #expect(set.changes.map { String(printable: $0.path) } == ["/d/f"])
    let baseline = trees.baseline()
    let swapper = Swapper("\(trees.path)/lower/d/f", "\(trees.path)/lower/d/l")
    defer { swapper.end() }
    struct Work: @unchecked Sendable { let application: ChangeApplication }
    let work = Work(application: ChangeApplication(set, since: baseline, overwrites: true))
    let done = try OldHost.without(OldHost.fchmodat2) {
      (0..<1000).count { _ in (try? work.application.run()) != nil }
    }
    #expect(done > 0)
    #expect(try trees.shell("stat -c %a secret") == "600\n")
  }

  /// With a path that no pack and no archive could have, what is in the way is said, not run into.
  @Test func removalGoesAsDeepAsTheTree() throws {
    try trees.shell("mkdir lower/deep; mknod upper/deep c 0 0")
    DeepTree.make("\(trees.path)/lower/deep", depth: 5000, file: "f")
    let set = try trees.changes()
    try ChangeApplication(set, since: trees.baseline()).run()
    #expect(try trees.shell("ls lower") == "")
    DeepTree.make("\(trees.path)/upper", depth: 40, name: String(repeating: "d", count: 200))
    try trees.shell("echo x >upper/f")
    let deep = try trees.changes()
    #expect(deep.changes.last.map { String(printable: $0.path) } == "/f")
    // 20 names of 200 bytes, with slashes between, are 4,019.
    #expect(deep.changes.count == 21)
    #expect(deep.tooDeep.count == 1 && deep.tooDeep[0].count > 4095)
    try ChangeApplication(deep, since: trees.baseline()).run()
    #expect(try trees.shell("cat lower/f") == "x\n")
    try trees.shell("rm -r upper/d* lower/d*")
  }

  @Test func whatOthersChangedStays() throws {
    try trees.shell(
      """
      echo a >lower/a; echo b >lower/b; mkdir lower/d; echo c >lower/d/c
      echo A >upper/a; echo B >upper/b; mknod upper/d c 0 0
      """)
    let baseline = trees.baseline()
    try trees.shell("echo mine >lower/b; echo mine >lower/d/mine")
    let error = #expect(throws: ChangesError.self) { try apply(since: baseline) }
    guard case .obstacles(let obstacles) = error else { return #expect(Bool(false), "\(String(describing: error))") }
    #expect(obstacles.map { String(printable: $0.path) } == ["/b", "/d"])
    #expect(obstacles.allSatisfy { if case .changedOnHost = $0.reason { true } else { false } })
    #expect(try trees.shell("cat lower/a lower/b lower/d/mine") == "a\nmine\nmine\n")
    try apply(since: baseline, overwriting: true)
    #expect(try trees.shell("cat lower/a lower/b; ls lower") == "A\nB\na\nb\n")
  }

  @Test func whatIsGoneIsGoneFromAllLayers() throws {
    try trees.shell("mkdir more; echo 1 >lower/f; echo 2 >more/f; mknod upper/f c 0 0; echo n >upper/n")
    try apply(
      since: trees.baseline(), above: [LayerMap(guestPath: "/", hostPath: "\(trees.path)/more")])
    #expect(try trees.shell("ls lower more") == "lower:\n\nmore:\nn\n")
  }

  @Test func packsAndDevicesAreNotTouched() throws {
    try trees.shell("mkdir pack; echo 1 >pack/f; echo 2 >upper/f; mknod upper/null c 1 3 || mkfifo upper/null")
    let pack = LayerMap(guestPath: "/", hostPath: "\(trees.path)/pack", isPack: true)
    let error = #expect(throws: ChangesError.self) { try apply(since: trees.baseline(), above: [pack]) }
    guard case .obstacles(let obstacles) = error else { return #expect(Bool(false), "\(String(describing: error))") }
    #expect(obstacles.first?.reason == .notAHostDirectory)
    if geteuid() == 0 { #expect(obstacles.last?.reason == .notAFile) }
    #expect(try trees.shell("cat pack/f; ls lower") == "1\n")
  }

  @Test func noPrivilegeIsBroughtBack() throws {
    try trees.shell("echo x >upper/tool; chmod 6755 upper/tool; mkdir upper/d; chmod 2755 upper/d")
    try apply(since: trees.baseline())
    #expect(try trees.shell("stat -c %a lower/tool lower/d") == "755\n755\n")
  }

  /// The host's tree may have changed after it was looked at.
  @Test func noSymbolicLinkIsFollowed() throws {
    try trees.shell("mkdir -p lower/d outside upper/d; echo x >lower/d/f; echo evil >upper/d/f; echo n >upper/d/n")
    let set = try trees.changes()
    let baseline = trees.baseline()
    try trees.shell("rm -r lower/d; ln -s ../outside lower/d; echo safe >outside/f; touch -h -d @1 lower/d outside/f")
    #expect(throws: ChangesError.self) { try ChangeApplication(set, since: baseline, overwrites: true).run() }
    #expect(try trees.shell("ls outside; cat outside/f") == "f\nsafe\n")
  }

  /// What an attempt that was killed left is gone after the next one.
  @Test func aSecondAttemptMendsTheFirst() throws {
    try trees.shell("echo a >lower/a; echo A >upper/a; echo half >lower/.novm-apply")
    try apply(since: trees.baseline())
    #expect(try trees.shell("ls -A lower; cat lower/a") == "a\nA\n")
  }
}
