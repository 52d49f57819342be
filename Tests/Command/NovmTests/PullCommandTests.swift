import Foundation
import HostTesting
import Testing

/// `novm pull` from a registry that may do anything.
@Suite(.timeLimit(.minutes(5)))
struct PullCommandTests {
  private let novm: NovmProgram
  private let registry: HostileRegistry

  init() throws {
    novm = try NovmProgram()
    registry = try HostileRegistry()
    try novm.linkNofetch()
  }

  /// All that is in the store below a part, by name.
  private func store(_ part: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "\(novm.directory)/store/\(part)")) ?? []).sorted()
  }

  private func expectPull(
    _ repository: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let result = try novm.run("pull", registry.name(repository))
    #expect(
      result.status == 0 && result.output == registry.name(repository) + "\n", "\(result)",
      sourceLocation: sourceLocation)
    #expect(store("packs/packs").count == 2, sourceLocation: sourceLocation)
    #expect(store("packs/new") == [], sourceLocation: sourceLocation)
  }

  /// A word of it, status 125, and nothing of it left that anybody can see.
  private func expectRefusal(
    _ repository: String, _ text: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let result = try novm.run("pull", registry.name(repository))
    let last = result.errors.split(separator: "\n").last.map(String.init) ?? ""
    #expect(result.status == 125 && last.contains(text), "\(repository): \(result)", sourceLocation: sourceLocation)
    #expect(!result.errors.contains("\u{1B}"), sourceLocation: sourceLocation)
    #expect(store("images/images") == [] && store("images/names") == [], sourceLocation: sourceLocation)
    #expect(store("packs/new") == [], sourceLocation: sourceLocation)
  }

  @Test func images() throws {
    try expectPull("good")
    let id = try novm.run("images", "--quiet").output
    #expect(id.count == 13)
    #expect(store("images/images").count == 1)
    // The decoder, which can open nothing else by now, still knows what characters names have.
    #expect(store("packs/packs").contains { store("packs/packs/\($0)/tree").contains("na\u{ef}ve") })
    // What is there is not fetched again: nothing but the name is asked for.
    let before = registry.log.count
    try expectPull("good")
    #expect(registry.log.dropFirst(before).map { $0[0] } == ["HEAD"])
    // Layers of another name's are known.
    let result = try novm.run("pull", "--quiet", registry.name("index"))
    #expect(result.status == 0 && result.output.hasPrefix("sha256:\(id.dropLast())"))
    #expect(result.errors == "")
    #expect(registry.requests("blobs") == 4)
  }

  /// A tree as an image, and what of images nothing needs.
  @Test func importsAndPruning() throws {
    let script = try novm.write(
      "import.sh",
      """
      set -e; mkdir tree; echo hello >tree/file; tar -C tree -cf tree.tar .; gzip -k tree.tar
      "$1" import tree.tar localhost/tree:1
      # What cannot be written leaves nothing that is in the way.
      ( trap '' XFSZ; ulimit -f 0; ! "$1" save --output layout/ localhost/tree:1 ); [ ! -e layout ]
      mkdir layout; ( trap '' XFSZ; ulimit -f 0; ! "$1" save --output layout localhost/tree:1 ); [ -z "$(ls layout)" ]
      "$1" save --output layout/ localhost/tree:1; [ -s layout/index.json ]
      "$1" import - localhost/tree:2 <tree.tar.gz; "$1" image inspect localhost/tree:2
      """)
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments = [script, try BuiltProgram.url("novm").path]
    process.currentDirectoryURL = URL(filePath: novm.directory)
    process.environment = novm.environment
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    // The same tree is one layer, of images made at different times.
    #expect(store("packs/packs").count == 1)
    #expect(
      try String(
        contentsOfFile: "\(novm.directory)/store/packs/packs/\(store("packs/packs")[0])/tree/file", encoding: .utf8)
        == "hello\n")
    expectFailure(try novm.run("pack", "create", "layer:x", novm.directory), naming: "names that begin with layer:")
    let pruned = try novm.run("prune", "--images", "--force")
    #expect(pruned.status == 0 && pruned.output.contains("localhost/tree:"), "\(pruned)")
    #expect(store("packs/packs") == [] && store("images/names") == [])
  }

  @Test func tokens() throws {
    try expectPull("token")
    // What belongs to the registry goes nowhere else.
    let away = try #require(registry.log.first { $0[1].hasPrefix("/elsewhere") })
    #expect(away[3] == "-")
    try expectPull("expires")
  }

  /// A registry that is elsewhere has nobody ask this host, for layers or tokens, by a redirect.
  @Test func redirectsToThisHost() throws {
    try novm.write(
      ".config/containers/registries.conf", "[[registry]]\nlocation = 'registry.example.org'\ninsecure = true\n")
    // Elsewhere is behind a proxy; nobody is by TLS.
    novm.variables = ["http_proxy": "http://127.0.0.1:\(registry.port)", "https_proxy": "http://127.0.0.1:1"]
    for name in ["to-this-host", "realm-this-host"] {
      let result = try novm.run("pull", "registry.example.org/\(name):1")
      #expect(result.status == 125 && result.errors.contains("which is this host"), "\(name): \(result)")
    }
    #expect(registry.requests("/elsewhere") == 0 && registry.requests("/token") == 0)
    #expect(try novm.run("pull", "registry.example.org/good:1").status == 0)
  }

  /// One that ends in the middle of a layer: another one is had, and the layer comes from its start.
  @Test func tokensThatEndInTheMiddle() throws {
    try expectPull("cut-expires")
    let asked = registry.log.filter { $0[1].contains("/cut-expires/blobs") }
    #expect(asked.contains { $0[2] == "bytes=20000-" && $0[3] == "-" })
    #expect(asked.contains { $0[2] == "-" && $0[3] == "Bearer good-repository:cut-expires:pull" })
  }

  @Test func credentials() throws {
    for name in ["basic", "private"] { try expectRefusal(name, "novm login 127.0.0.1:\(registry.port)") }
    let auth = Data("me:secret".utf8).base64EncodedString()
    try novm.write(
      ".docker/config.json", #"{"auths": {"127.0.0.1:\#(registry.port)": {"auth": "\#(auth)"}}, "x": [1]}"#)
    try expectPull("basic")
    try expectPull("private")
    let out = try novm.run("logout", "127.0.0.1:\(registry.port)")
    #expect(out.status == 0, "\(out)")
    let text = try String(contentsOfFile: "\(novm.directory)/.docker/config.json", encoding: .utf8)
    #expect(!text.contains(auth) && text.contains("\"x\""))
    expectFailure(try novm.run("logout", "127.0.0.1:\(registry.port)"), naming: "nothing is kept")
    // A helper has them.
    try novm.write(".docker/config.json", #"{"credHelpers": {"127.0.0.1:\#(registry.port)": "test"}}"#)
    try novm.writeProgram(
      "bin/docker-credential-test",
      "#!/bin/sh\n[ \"$1\" = get ] && cat >/dev/null && echo \"{\\\"Username\\\": \\\"me\\\", \\\"Secret\\\": \\\"secret\\\"}\"\n"
    )
    #expect(try novm.run("rmi", registry.name("basic"), registry.name("private")).status == 0)
    try expectPull("basic")
    // What it was told to forget it may keep.
    func writeHelper(_ body: String) throws {
      try novm.writeProgram(
        "bin/docker-credential-test", "#!/bin/sh\n[ \"$1\" = get ] || exit 3\ncat >/dev/null\n\(body)\n")
    }
    try writeHelper("echo '{\"Username\": \"me\", \"Secret\": \"secret\"}'")
    expectFailure(
      try novm.run("logout", "127.0.0.1:\(registry.port)"), naming: "docker-credential-test: status 3")
    // One that does not stop is not waited for.
    try writeHelper("exec cat /dev/zero 2>/dev/null")
    expectFailure(try novm.run("logout", "127.0.0.1:\(registry.port)"), naming: "docker-credential-test: ")
  }

  /// Who changes his mind at the password has a terminal that shows what is typed.
  @Test func interruptedLogin() throws {
    let script = """
      import os, pty, signal, sys, termios
      master, slave = pty.openpty()
      child = os.fork()
      if child == 0:
          os.login_tty(slave)
          # The tests' own threads have them blocked.
          signal.pthread_sigmask(signal.SIG_SETMASK, [])
          os.execv(sys.argv[1], [sys.argv[1], 'login', '--username', 'me', sys.argv[2]])
      def echoes(): return bool(termios.tcgetattr(slave)[3] & termios.ECHO)
      said = b''
      while not said.endswith(b'password: '): said += os.read(master, 100)
      before = echoes()
      os.write(master, b'\\x03')
      status = os.waitpid(child, 0)[1]
      print(before, echoes(), os.WIFSIGNALED(status) and os.WTERMSIG(status))
      """
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      "python3", "-c", script, try BuiltProgram.url("novm").path,
      "127.0.0.1:\(registry.port)",
    ]
    process.environment = novm.environment
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    process.waitUntilExit()
    #expect(
      String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self) == "False True 2\n")
  }

  @Test func cuts() throws {
    try expectPull("cut")
    #expect(registry.log.contains { $0[1].contains("/cut/") && $0[2] == "bytes=20000-" })
    #expect(registry.log.contains { $0[1].contains("/cut/") && $0[2] == "bytes=40000-" })
  }

  @Test func wholesAfterCuts() throws { try expectPull("cut-whole") }

  /// A network that is gone for a moment.
  @Test func nobodyAfterCuts() throws {
    try expectPull("cut-away")
    #expect(registry.log.filter { $0[1].contains("/cut-away/") && $0[2] == "bytes=20000-" }.count == 2)
  }

  /// What a digest vouches for goes on where it was cut.
  @Test func descriptionsAfterCuts() throws {
    try expectPull("described-cut")
    #expect(registry.log.filter { $0[1].contains("/described-cut/") && $0[2] == "bytes=100-" }.count == 2)
  }

  @Test func platforms() throws {
    try expectPull("index")
    #expect(try novm.run("rmi", registry.name("index")).status == 0)
    try expectRefusal("arm", "no image for linux/amd64; it is for linux/arm64/v8")
  }

  @Test func busyRegistries() throws {
    try expectRefusal("busy-ever", "too many requests (429)")
    try expectPull("busy")
  }

  @Test(arguments: [
    ("missing", "no such image"), ("altered", "digest"), ("swapped", "digest"), ("no-archive", "archive"),
    ("long", "more than the"), ("short", "damaged"), ("gone", "no layer"), ("denied", "refused"),
    ("loop", "redirects"), ("loop-manifest", "redirects"), ("to-file", "rotocol"),
    ("head", "head of its answer"), ("lies", "something else"), ("loops", "something else"), ("both", "an index, too"),
    ("thousand", "1000 layers"), ("deep", "no manifest"), ("deeper", "no manifest"), ("text", "no manifest"),
    ("empty", "no manifest"), ("huge", "more than the"), ("schema1", "schema 1"), ("sizes", "a configuration of"),
    ("numbers", "no manifest"), ("few", "different layers"), ("room", "not so much room"),
    ("config-digest", "no such image"), ("never", "refused"), ("never-basic", "novm login"),
    ("realm-file", "does not say from where"), ("realm-none", "does not say from where"), ("realm-text", "no token"),
    ("realm-lines", "no token"), ("realm-user", "an address with a user in it"), ("cut-wrong", "another part"),
    ("endless-503", "status 503"), ("endless-404", "no such image"), ("endless-403", "refused"),
    ("endless-307", "redirects"),
  ])
  func refusals(repository: String, text: String) throws { try expectRefusal(repository, text) }

  @Test func cutsWithoutEnd() throws { try expectRefusal("cut-ever", "cut") }

  @Test func whatIsNotThere() throws {
    expectFailure(try novm.run("pull", "127.0.0.1:1/x"), naming: "127.0.0.1:1")
    expectFailure(try novm.run("pull", "Nosuch:"), naming: "no image's name")
    expectFailure(try novm.run("pull", "--registry", "registry", "app"), naming: "'registry' is no registry")
    // Before anybody is asked.
    let digits = String(repeating: "0", count: 64)
    let before = registry.log.count
    expectFailure(
      try novm.run(
        "pull",
        registry.name("good/" + String(repeating: "a", count: 60)) + String(repeating: "1", count: 120) + "@sha256:"
          + digits),
      naming: "more than 255 bytes")
    #expect(registry.log.count == before)
    expectFailure(try novm.run("run", "--image", registry.name("missing")), naming: "no such image")
    try novm.write(
      ".config/containers/registries.conf", "[[registry]]\nlocation = '127.0.0.1:\(registry.port)'\nblocked = true\n")
    expectFailure(try novm.run("pull", registry.name("good")), naming: "blocked")
    try novm.write(".config/containers/registries.conf", "a")
    expectFailure(try novm.run("pull", registry.name("good")), naming: "registries.conf: is not TOML")
  }

  /// Names without a registry, mirrors that have it not or are not there.
  @Test func names() throws {
    try novm.write(
      ".config/containers/registries.conf",
      """
      unqualified-search-registries = ["127.0.0.1:1", "127.0.0.1:\(registry.port)"]
      [[registry]]
      prefix = "example.org"
      location = "127.0.0.1:\(registry.port)"
      [[registry.mirror]]
      location = "127.0.0.1:1"
      [aliases]
      "short" = "example.org/good"
      """)
    let short = try novm.run("pull", "short:2")
    #expect(short.status == 0 && short.output == "example.org/good:2\n", "\(short)")
    #expect(short.errors.contains("short:2: example.org/good:2, by an alias"))
    let searched = try novm.run("pull", "good:3")
    #expect(searched.status == 0 && searched.output == "127.0.0.1:\(registry.port)/good:3\n", "\(searched)")
    let chosen = try novm.run("pull", "--registry", "127.0.0.1:\(registry.port)", "good:4")
    #expect(chosen.status == 0 && chosen.output == "127.0.0.1:\(registry.port)/good:4\n", "\(chosen)")
  }

  /// Waits for something that a process is about to do.
  private func wait(_ isDone: () throws -> Bool) throws -> Bool {
    let begin = ContinuousClock.now
    while try !isDone() {
      if ContinuousClock.now - begin > .seconds(30) { return false }
      usleep(20_000)
    }
    return true
  }

  /// A pull of what comes slowly, once its first layer was asked for.
  private func startedPull() throws -> Process {
    let process = Process()
    process.executableURL = try BuiltProgram.url("novm")
    process.arguments = ["pull", "--quiet", registry.name("slow")]
    process.environment = novm.environment
    let before = registry.requests("/slow/blobs")
    try process.run()
    // The configuration, and two layers.
    #expect(try wait { registry.requests("/slow/blobs") >= before + 3 })
    return process
  }

  /// Two commands at once fetch each layer once; one that is killed leaves nothing that counts.
  @Test func twoAtOnce() throws {
    let path = try novm.write(
      "two.sh", "\"$1\" pull --quiet \"$2\" >one & \"$1\" pull --quiet \"$2\" >two; wait $! && cmp one two\n")
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments = [path, try BuiltProgram.url("novm").path, registry.name("slow")]
    process.currentDirectoryURL = URL(filePath: novm.directory)
    process.environment = novm.environment
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    #expect(registry.log.filter { $0[1].contains("/slow/blobs") && $0[0] == "GET" }.count == 4)
    #expect(try novm.run("rmi", registry.name("slow")).status == 0)
    let killed = try startedPull()
    kill(killed.processIdentifier, SIGKILL)
    killed.waitUntilExit()
    // Its decoders find out.
    #expect(try wait { store("packs/new") == [] })
    #expect(try novm.run("images", "--quiet").output == "")
    // A layer that came before is no image's.
    #expect(try novm.run("prune", "--images", "--force").status == 0)
    #expect(store("packs/packs") == [])
    // Nothing waits for the one that is gone, and nothing of it is in the way.
    try expectPull("good")
  }

  private static let hasNamespaces = (try? Tool.run("unshare", ["--mount", "true"]))?.status == 0

  /// As root a decoder has no file of the host's to change by its path.
  @Test(.needsRoot, .needs(ofHost: "namespaces of mounts", hasNamespaces))
  func decodersHaveNoFiles() throws {
    let pull = try startedPull()
    defer { pull.waitUntilExit() }
    func decoder() throws -> String? {
      let children = try String(
        contentsOfFile: "/proc/\(pull.processIdentifier)/task/\(pull.processIdentifier)/children", encoding: .utf8)
      return children.split(separator: " ").map(String.init).first {
        ((try? String(contentsOfFile: "/proc/\($0)/cmdline", encoding: .utf8)) ?? "").contains("unpack-layer")
      }
    }
    // The first of them waits for a layer that comes after seconds.
    #expect(
      try wait {
        guard let decoder = try decoder() else { return false }
        return try FileManager.default.contentsOfDirectory(atPath: "/proc/\(decoder)/root/") == ["proc"]
      })
  }
}
