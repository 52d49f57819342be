import FUSE
import Foundation
import Glibc
import Host
import HostTesting
import Synchronization
import Testing

@testable import FileSystem

/// What root's guest makes where users of the host can come to it: it has it, and they do not.
struct PrivilegesTests {
  let layers = Layers()
  private var shared: String { layers.base + "/shared" }

  init() {
    layers.mkdir(layers.base + "/shared")
    open(to: 0o755)
  }

  /// Lets others come to what the tests make, or not: the way to it, below which nobody is let in as a rule.
  private func open(to mode: mode_t) { chmod(layers.base, mode) }

  private func client(_ privileges: Privileges = []) throws -> FUSEClient {
    var write = LayerMap(guestPath: "/", hostPath: layers.upper)
    var share = LayerMap(guestPath: "/s", hostPath: shared)
    (write.privileges, share.privileges) = (privileges, privileges)
    return FUSEClient(
      FileSystemServer(
        try LayeredTree(
          reads: [LayerMap(guestPath: "/", hostPath: layers.lower)], writes: [write],
          shares: [Share(map: share, caching: .always)])))
  }

  private func host(_ path: String) -> stat {
    var status = stat()
    precondition(lstat(path, &status) == 0)
    return status
  }

  private func capability(_ path: String) -> [UInt8]? {
    let itself = FileCalls.itself
    guard let file = try? FileDescriptor.open(path, OpenFlags.read) else { return nil }
    return try? FileCalls.attribute(file.raw, itself.span, MarkName.capability)
  }

  /// As somebody on the host may, whom its kernel would take set-id bits and capabilities away for.
  private func append(_ path: String) throws {
    let file = try FileDescriptor.open(path, O_WRONLY | O_APPEND)
    try file.writeAll(Array("evil".utf8))
  }

  private static let capability = "\u{1}\0\0\u{2}\u{1}\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

  /// Makes one of each; `check` is given the client and the directory on the host, for the map and for the share.
  private func make(
    _ privileges: Privileges = [], _ check: (FUSEClient, _ guest: String, _ host: String) throws -> Void
  ) throws {
    for (guest, host) in [("", layers.upper + "/"), ("s/", shared + "/")] {
      let client = try client(privileges)
      try client.put(guest + "tool", "x")
      try client.set(guest + "tool", mode: 0o6755)
      try client.put(guest + "able", "x")
      try client.setxattr(guest + "able", "security.capability", PrivilegesTests.capability)
      try client.mknod(guest + "null", FileType.characterDevice | 0o666, device: 0x103)
      try client.mkdir(guest + "group")
      try client.set(guest + "group", mode: 0o2775)
      try check(client, guest, host)
      // A machine after it sees the same.
      try check(try self.client(privileges), guest, host)
    }
  }

  private func showsAll(_ client: FUSEClient, _ guest: String) throws {
    #expect(try client.attributes(guest + "tool").mode == FileType.regular | 0o6755)
    #expect(try client.getxattr(guest + "able", "security.capability") == PrivilegesTests.capability)
    #expect(try client.listxattr(guest + "able") == ["security.capability"])
    #expect(try client.listxattr(guest + "tool") == [])
    let null = try client.attributes(guest + "null")
    #expect((null.mode, null.device) == (FileType.characterDevice | 0o666, 0x103))
    #expect(try client.attributes(guest + "group").permissions == 0o2775)
  }

  @Test(.needsRoot) func usersOfTheHostGetNothing() throws {
    try make { client, guest, directory in
      try showsAll(client, guest)
      #expect(host(directory + "tool").st_mode & 0o6777 == 0o755)
      #expect(host(directory + "null").st_mode & S_IFMT == S_IFREG)
      // Capabilities that are none.
      #expect(capability(directory + "able") == FileCalls.seal)
      // A directory's bit gives what is made in it to a group, and nothing else.
      #expect(host(directory + "group").st_mode & 0o7777 == 0o2775)
    }
  }

  @Test(.needsRoot) func whereNobodyComesItIsReal() throws {
    open(to: 0o700)
    try make { client, guest, directory in try isReal(client, guest, directory) }
  }

  /// The guest, or the tree itself, may open it to others at any time.
  @Test(.needsRoot) func theMapsOwnModeClosesNothing() throws {
    for directory in [layers.upper, shared] { chmod(directory, 0o700) }
    try make { client, guest, directory in
      try client.set(guest, mode: 0o755)
      try showsAll(client, guest)
      #expect(host(directory + "tool").st_mode & 0o6777 == 0o755)
      #expect(host(directory + "null").st_mode & S_IFMT == S_IFREG)
    }
  }

  /// Nor does one that is in another map.
  @Test(.needsRoot) func whatAnotherMapCanChangeClosesNothing() throws {
    let (closed, inner) = (shared + "/closed", shared + "/closed/inner")
    for directory in [closed, inner] { layers.mkdir(directory) }
    chmod(closed, 0o700)
    func madeThere(_ shares: [LayerMap]) throws -> mode_t {
      let client = FUSEClient(
        FileSystemServer(
          try LayeredTree(
            reads: [LayerMap(guestPath: "/", hostPath: layers.lower)],
            shares: shares.map { Share(map: $0, caching: .always) })))
      try client.put("i/tool", "x")
      try client.set("i/tool", mode: 0o4755)
      return host(inner + "/tool").st_mode & 0o6777
    }
    let share = LayerMap(guestPath: "/i", hostPath: inner)
    #expect(try madeThere([share]) == 0o4755)
    #expect(try madeThere([share, LayerMap(guestPath: "/s", hostPath: shared)]) == 0o755)
  }

  @Test(.needsRoot) func whatTheMapAllowsIsReal() throws {
    try make(.all) { client, guest, directory in try isReal(client, guest, directory) }
  }

  @Test(.needsRoot) func whatTheMapAllowsIsAllThatIs() throws {
    try make(.suid) { client, guest, directory in
      try showsAll(client, guest)
      #expect(host(directory + "tool").st_mode & 0o6777 == 0o6755)
      #expect(host(directory + "null").st_mode & S_IFMT == S_IFREG)
    }
  }

  private func isReal(_ client: FUSEClient, _ guest: String, _ directory: String) throws {
    try showsAll(client, guest)
    #expect(host(directory + "tool").st_mode & 0o6777 == 0o6755)
    #expect(host(directory + "null").st_mode & S_IFMT == S_IFCHR)
    #expect(layers.attribute(directory + "able", "security.capability") == PrivilegesTests.capability)
  }

  @Test(.needsRoot) func aDirectoryOfAUsersOwnIsNotRootsAlone() throws {
    open(to: 0o700)
    chown(layers.base, 1000, 1000)
    try make { _, _, directory in #expect(host(directory + "tool").st_mode & 0o6000 == 0) }
  }

  @Test(.needsRoot) func whatIsCopiedUpIsRecordedToo() throws {
    layers.lower("sudo", "x", mode: 0o755)
    chmod(layers.lower + "/sudo", 0o4755)
    try #require(Glibc.mknod(layers.lower + "/tty", S_IFCHR | 0o600, 0x500) == 0)
    let client = try client()
    try client.set("sudo", modified: 5)
    try client.set("tty", modified: 5)
    #expect(try client.attributes("sudo").permissions == 0o4755)
    let device = try client.attributes("tty")
    #expect((device.mode, device.device) == (FileType.characterDevice | 0o600, 0x500))
    #expect(host(layers.upper + "/sudo").st_mode & 0o6777 == 0o755)
    #expect(host(layers.upper + "/tty").st_mode & S_IFMT == S_IFREG)
  }

  @Test(.needsRoot) func privilegesGoAsTheyDoElsewhere() throws {
    let client = try client()
    try client.put("f", "x")
    try client.set("f", mode: 0o4755)
    // A new owner has none.
    try client.set("f", uid: 33)
    #expect(try client.attributes("f").permissions == 0o755)
    #expect(layers.attribute(layers.upper + "/f", "trusted.novm.stat") == nil)
    try client.set("f", mode: 0o4755)
    #expect(try client.attributes("f").permissions == 0o4755)
    // Nor do they come by what somebody on the host does.
    chown(layers.upper + "/f", 34, 34)
    #expect(try client.attributes("f").permissions == 0o755)
    chown(layers.upper + "/f", 33, 0)
    chmod(layers.upper + "/f", 0o700)
    #expect(try client.attributes("f").permissions == 0o700)
    // Writing takes a capability away.
    try client.setxattr("f", "security.capability", PrivilegesTests.capability)
    try client.put("f", "changed")
    #expect(throws: Errno.noData) { try client.getxattr("f", "security.capability") }
    try client.setxattr("f", "security.capability", PrivilegesTests.capability)
    try client.removexattr("f", "security.capability")
    #expect(throws: Errno.noData) { try client.getxattr("f", "security.capability") }
  }

  /// Who may write to a program would have its privileges in the guest.
  @Test(.needsRoot) func whatSomebodyElseHasWrittenToHasNone() throws {
    for (guest, host) in [("", layers.upper + "/"), ("s/", shared + "/")] {
      let client = try client()
      for name in ["tool", "able", "cut"] { try client.put(guest + name, "x") }
      try client.set(guest + "tool", mode: 0o6775)
      try client.set(guest + "cut", mode: 0o4775)
      try client.setxattr(guest + "able", "security.capability", PrivilegesTests.capability)
      for name in ["tool", "able"] { try append(host + name) }
      truncate(host + "cut", 0)
      for client in [client, try self.client()] {
        for name in ["tool", "cut"] { #expect(try client.attributes(guest + name).permissions == 0o775) }
        #expect(throws: Errno.noData) { try client.getxattr(guest + "able", "security.capability") }
        #expect(try client.listxattr(guest + "able") == [])
      }
      // What the guest then gives it is all that it has.
      try client.setxattr(guest + "tool", "security.capability", PrivilegesTests.capability)
      #expect(try client.attributes(guest + "tool").permissions == 0o775)
      #expect(try client.getxattr(guest + "tool", "security.capability") == PrivilegesTests.capability)
      try client.set(guest + "able", mode: 0o4755)
      #expect(try client.attributes(guest + "able").permissions == 0o4755)
      #expect(throws: Errno.noData) { try client.getxattr(guest + "able", "security.capability") }
      try client.set(guest + "able", mode: 0o755)
      #expect(capability(host + "able") == nil)
    }
  }

  /// Its root keeps set-id bits as it writes (CAP_FSETID), before or behind the change of mode; capabilities go.
  @Test(.needsRoot) func whatTheGuestWritesStays() throws {
    let client = try client()
    for name in ["f", "s/f"] {
      let made = try client.create(name, 0o4755)
      let (node, handle) = (made.entry.node, made.handle)
      for text in ["a", "b"] { try client.write(node, handle, 0, Array(text.utf8)) }
      #expect(try client.attributes(name).permissions == 0o4755)
      try client.set(name, mode: 0o755)
      try client.write(node, handle, 0, Array("c".utf8))
      try client.set(name, mode: 0o6755)
      try client.write(node, handle, 0, Array("d".utf8))
      client.release(node, handle)
      try client.setxattr(name, "security.capability", PrivilegesTests.capability)
      #expect(try client.attributes(name).permissions == 0o6755)
      let again = try self.client()
      let other = try again.node(name)
      let second = try again.open(other, 2)
      try again.write(other, second, 0, Array("e".utf8))
      try again.set(name, size: 0)
      #expect(try again.attributes(name).permissions == 0o6755)
      #expect(throws: Errno.noData) { try again.getxattr(name, "security.capability") }
      // FUSE_WRITE_KILL_SUIDGID: somebody without the right.
      try again.write(other, second, 0, Array("f".utf8), flags: 4)
      #expect(try again.attributes(name).permissions == 0o755)
    }
  }

  /// What several threads of the guest write to at once has what it had.
  @Test(.needsRoot) func whatIsWrittenAtOnceStays() throws {
    let server = try client().server
    // Each makes a session of its own, so all come before the first request.
    let clients = (0..<4).map { _ in ConcurrencyTests.Shared(FUSEClient(server)) }
    let made = try clients[0].client.create("f", 0o4755)
    let node = made.entry.node
    DispatchQueue.concurrentPerform(iterations: clients.count) { index in
      for _ in 0..<200 { _ = try? clients[index].client.write(node, made.handle, UInt64(index), [1]) }
    }
    #expect(try clients[0].client.attributes("f").permissions == 0o4755)
  }

  /// What the guest asks while one of its threads writes, which breaks the seal until that is done, waits for it: it would find no
  /// privileges, and clear none, before they hold again for what it goes on to write.
  @Test(.needsRoot) func whatIsAskedWhileSomebodyWritesWaits() throws {
    let server = try client().server
    let clients = (0..<2).map { _ in ConcurrencyTests.Shared(FUSEClient(server)) }
    let made = try clients[0].client.create("f", 0o4755)
    let number = made.entry.node
    let (node, tree) = (try #require(server.tree.nodes.node(number)), server.tree)
    let file = try tree.file(of: node, forWriting: true)
    /// Runs it on another thread while this one writes.
    func whileWriting(_ other: @escaping @Sendable (FUSEClient) -> Void) throws {
      let done = DispatchSemaphore(value: 0)
      try tree.withRoom(node, file, count: 1) { () throws(Errno) in
        _ = try FileCalls.write(file.raw, at: 0, [1], count: 1)
        let client = clients[1]
        Thread.detachNewThread {
          other(client.client)
          done.signal()
        }
        if done.wait(timeout: .now() + 0.3) == .success { done.signal() }
      }
      done.wait()
    }
    let seen = Mutex<UInt32?>(nil)
    try whileWriting { client in
      let permissions = try? client.attributes(of: number).permissions
      seen.withLock { $0 = permissions }
    }
    #expect(seen.withLock { $0 } == 0o4755)
    // FUSE_WRITE_KILL_SUIDGID.
    try whileWriting { client in _ = try? client.write(number, made.handle, 0, [2], flags: 4) }
    #expect(try clients[0].client.attributes("f").permissions == 0o755)
    #expect(try clients[0].client.contents("f") == "\u{2}")
  }

  /// Labels and signatures of the guest's are nothing to the host's kernel, whose own the guest sees until it sets others.
  @Test(.needsRoot) func labelsAreTheGuests() throws {
    layers.lower("below", "x")
    layers.setAttribute(layers.lower + "/below", "security.novm", "host")
    for (guest, host) in [("", layers.upper + "/"), ("s/", shared + "/")] {
      layers.put(host + "f", "x")
      layers.setAttribute(host + "f", "security.novm", "host")
      let client = try client()
      #expect(try client.getxattr(guest + "f", "security.novm") == "host")
      #expect(throws: Errno.notPermitted) { try client.removexattr(guest + "f", "security.novm") }
      try client.setxattr(guest + "f", "security.novm", "guest")
      for client in [client, try self.client()] {
        #expect(try client.getxattr(guest + "f", "security.novm") == "guest")
        #expect(try client.listxattr(guest + "f") == ["security.novm"])
      }
      #expect(layers.attribute(host + "f", "security.novm") == "host")
      try client.removexattr(guest + "f", "security.novm")
      #expect(try client.getxattr(guest + "f", "security.novm") == "host")
    }
    // Of one that is there under both names the guest's counts, in whatever order the host lists them.
    for (name, order) in [
      ("both", ["security.novm", "trusted.novm.security.novm"]),
      ("other", ["trusted.novm.security.novm", "security.novm"]),
    ] {
      layers.lower(name, "x")
      for each in order { layers.setAttribute("\(layers.lower)/\(name)", each, each) }
      let client = try client()
      for _ in 0..<2 {
        #expect(try client.getxattr(name, "security.novm") == "trusted.novm.security.novm")
        try client.set(name, modified: 5)
      }
    }
    let client = try client()
    try client.set("below", modified: 5)
    #expect(try client.getxattr("below", "security.novm") == "host")
    #expect(layers.attribute(layers.upper + "/below", "security.novm") == nil)
    open(to: 0o700)
    let closed = try self.client()
    try closed.setxattr("below", "security.novm", "mine")
    #expect(try closed.getxattr("below", "security.novm") == "mine")
    #expect(layers.attribute(layers.upper + "/below", "security.novm") == "mine")
  }

  @Test(.needsRoot) func usersOfTheHostCannotMakeThemForTheGuest() throws {
    // What any user may write beside a file of his own.
    layers.put(shared + "/f", "")
    chmod(shared + "/f", 0o1000)
    for record in ["0:0:0666:char-1-1", "0:0:04755:file", "0:0:0660:block-8-0"] {
      layers.setAttribute(shared + "/f", "user.containers.override_stat", record)
      layers.setAttribute(shared + "/f", "user.containers.override_security.capability", PrivilegesTests.capability)
      let client = try client()
      #expect(try client.attributes("s/f").mode == FileType.regular | 0o1000)
      #expect(throws: Errno.noData) { try client.getxattr("s/f", "security.capability") }
    }
    // And nobody in the guest can.
    let client = try client()
    #expect(throws: Errno.notPermitted) { try client.setxattr("s/f", "trusted.novm.stat", "0:0:04755:file") }
  }
}
