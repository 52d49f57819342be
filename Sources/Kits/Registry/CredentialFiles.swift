import FoundationEssentials
import Glibc
import Host
import Images
import Packs

/// Credentials as other tools keep them (containers-auth.json(5), Docker's `config.json`), and helpers that these files name.
package struct CredentialFiles: Equatable, Sendable {
  /// Those that are asked, the first one first.
  package let paths: [String]
  /// Where `login` writes.
  package let own: String

  package init(paths: [String], own: String) {
    self.paths = paths
    self.own = own
  }

  /// `REGISTRY_AUTH_FILE` alone, or Podman's file, then Docker's. `login` writes to Docker's where there is one, since all
  /// read it, and to Podman's that outlasts a session otherwise.
  package init(environment: [String: String], home: String) {
    func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    if let path = variable("REGISTRY_AUTH_FILE") {
      self.init(paths: [path], own: path)
      return
    }
    let docker = (variable("DOCKER_CONFIG") ?? "\(home)/.docker") + "/config.json"
    let lasting = "\(home)/.config/containers/auth.json"
    let session = variable("XDG_RUNTIME_DIR").map { ["\($0)/containers/auth.json"] } ?? []
    self.init(paths: session + [lasting, docker], own: Names.exists(docker) ? docker : lasting)
  }

  // MARK: Reading

  /// What there is for a repository: the entry of the longest path, then the host's.
  package func credentials(for source: RegistriesConfiguration.Source) throws(RegistryError) -> Credentials? {
    for path in paths where Names.exists(path) {
      let file = try read(path)
      if let helper = file["credHelpers"]?[Self.server(source.host)]?.text
        ?? file["credHelpers"]?[source.host]?.text
      {
        if let found = try Self.ask(helper, for: source.host) { return found }
      }
      let entries = file["auths"]?.members ?? [:]
      for key in Self.keys(source) {
        guard let entry = entries.first(where: { Self.normal($0.key) == key })?.value else { continue }
        if let token = entry["identitytoken"]?.text, !token.isEmpty { return .identityToken(token) }
        if let text = entry["auth"]?.text, let found = Credentials(base64: text) { return found }
        if let user = entry["username"]?.text, let password = entry["password"]?.text {
          return .password(user: user, password: password)
        }
      }
      if let helper = file["credsStore"]?.text, !helper.isEmpty, let found = try Self.ask(helper, for: source.host) {
        return found
      }
    }
    return nil
  }

  private static func keys(_ source: RegistriesConfiguration.Source) -> [String] {
    let host = source.host
    var parts = source.repository.split(separator: "/")
    var keys: [String] = []
    while !parts.isEmpty {
      keys.append("\(host)/\(parts.joined(separator: "/"))")
      parts.removeLast()
    }
    return keys + [host]
  }

  /// Docker has addresses for hosts.
  private static func normal(_ key: String) -> String {
    var text = key[...]
    for scheme in ["https://", "http://"] where text.hasPrefix(scheme) {
      text = text.dropFirst(scheme.count)
      text = text.prefix { $0 != "/" }
    }
    if ImageReference.defaultAliases.contains(String(text)) { return ImageReference.defaultRegistry }
    return String(text)
  }

  /// As Docker calls a host in its files and to its helpers.
  private static func server(_ host: String) -> String {
    host == ImageReference.defaultRegistry ? "https://index.docker.io/v1/" : host
  }

  private func read(_ path: String) throws(RegistryError) -> JSONValue {
    let bytes: [UInt8]
    do throws(PackError) {
      bytes = try Names.read(path)
    } catch {
      throw .image(.pack(error))
    }
    if bytes.isEmpty { return .object([:]) }
    guard bytes.count <= 1 << 20, let value = try? JSONDecoder().decode(JSONValue.self, from: Data(bytes)) else {
      throw .configuration(path: path, "is not JSON")
    }
    return value
  }

  // MARK: Writing

  /// Keeps credentials for a host.
  ///
  /// - Returns: where.
  package func store(_ credentials: Credentials, for host: String) throws(RegistryError) -> String {
    var file = Names.exists(own) ? try read(own) : .object([:])
    if let helper = Self.helper(file, for: host), case .password(let user, let password) = credentials {
      let message = JSONValue.object([
        "ServerURL": .string(Self.server(host)), "Username": .string(user), "Secret": .string(password),
      ])
      try Self.tell(helper, "store", (try? JSONEncoder().encode(message)).map { Array($0) } ?? [])
      return "docker-credential-\(helper)"
    }
    guard case .password(let user, let password) = credentials else { return own }
    var entries = file["auths"] ?? .object([:])
    let auth = Data("\(user):\(password)".utf8).base64EncodedString()
    entries[Self.server(host)] = .object(["auth": .string(auth)])
    file["auths"] = entries
    try write(file, own)
    return own
  }

  /// Forgets them.
  ///
  /// - Returns: whether there were any.
  package func remove(_ host: String) throws(RegistryError) -> Bool {
    var isFound = false
    for path in paths where Names.exists(path) {
      var file = try read(path)
      if let helper = Self.helper(file, for: host), try Self.ask(helper, for: host) != nil {
        try Self.tell(helper, "erase", Array(Self.server(host).utf8))
        isFound = true
      }
      guard case .object(var entries)? = file["auths"] else { continue }
      let keys = entries.keys.filter { Self.normal($0) == host }
      if keys.isEmpty { continue }
      for key in keys { entries[key] = nil }
      file["auths"] = .object(entries)
      try write(file, path)
      isFound = true
    }
    return isFound
  }

  private static func helper(_ file: JSONValue, for host: String) -> String? {
    file["credHelpers"]?[server(host)]?.text ?? file["credHelpers"]?[host]?.text
      ?? file["credsStore"]?.text.flatMap { $0.isEmpty ? nil : $0 }
  }

  private func write(_ file: JSONValue, _ path: String) throws(RegistryError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let text = (try? encoder.encode(file)).map { Array($0) } ?? []
    // A link of the user's is followed.
    let target = Self.resolved(path)
    let fresh = "\(target).\(Names.random())"
    do throws(PackError) {
      if let slash = target.lastIndex(of: "/") { try Names.makeDirectories(String(target[..<slash])) }
      do throws(Errno) {
        let file = try FileDescriptor.open(fresh, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        try file.writeAll(text + [UInt8(ascii: "\n")])
        try FileCalls.sync(file.raw, dataOnly: false)
      } catch {
        throw .system(operation: .write, path: Array(fresh.utf8), error)
      }
      try Names.rename(fresh, target)
    } catch {
      _ = unsafe unlink(fresh)
      throw .image(.pack(error))
    }
  }

  private static func resolved(_ path: String) -> String {
    guard let target = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(target) }
    return unsafe String(cString: target)
  }

  // MARK: Helpers

  /// What a helper keeps for a host (docker-credential-helpers' protocol); nil where it has nothing.
  private static func ask(_ helper: String, for host: String) throws(RegistryError) -> Credentials? {
    let (status, output) = try run(helper, "get", Array(server(host).utf8))
    if status != 0 {
      // The words are the protocol's.
      if String(decoding: output, as: UTF8.self).contains("credentials not found") { return nil }
      throw .helper(helper, Self.words(status))
    }
    guard let answer = try? JSONDecoder().decode(JSONValue.self, from: Data(output)),
      let user = answer["Username"]?.text, let secret = answer["Secret"]?.text
    else { throw .helper(helper, "its answer is not what the protocol has") }
    return user == "<token>" ? .identityToken(secret) : .password(user: user, password: secret)
  }

  /// Has a helper keep or forget something, which it may not be able to.
  private static func tell(_ helper: String, _ verb: String, _ input: [UInt8]) throws(RegistryError) {
    let (status, _) = try run(helper, verb, input)
    if status != 0 { throw .helper(helper, words(status)) }
  }

  private static func words(_ status: Int32) -> String {
    status & 0x7f == 0 ? "status \(status >> 8 & 0xff)" : "signal \(status & 0x7f)"
  }

  private static func run(
    _ helper: String, _ verb: String, _ input: [UInt8]
  ) throws(RegistryError) -> (status: Int32, output: [UInt8]) {
    let isName = helper.utf8.allSatisfy { byte in
      byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a || byte >= 0x30 && byte <= 0x39 || byte == 0x2d || byte == 0x5f
        || byte == 0x2e
    }
    guard isName, !helper.isEmpty, input.count <= 4096 else { throw .helper(helper, "is no name of a program") }
    do throws(Errno) {
      let question = try Pipe()
      let answer = try Pipe()
      try question.writer.writeAll(input)
      let number = question.reader.raw
      // By a shell, which looks in PATH, and whose input is a pipe: secrets are not for arguments.
      let script = "exec \"docker-credential-$0\" \"$1\" </proc/self/fd/\(number)"
      let process = try Spawn.start(
        "/bin/sh", ["-c", script, helper, verb].map { Array($0.utf8) }, output: answer.writer.raw,
        errors: STDERR_FILENO, inherited: [number], session: false)
      _ = consume question
      let output = try contents(answer.takeReader())
      var status: Int32 = 0
      try retryingInterrupts { unsafe waitpid(process, &status, 0) }
      return (status, output)
    } catch {
      throw .helper(helper, error.description)
    }
  }

  /// All that a helper says, or a little more than what one would. It is closed then: who says still more is not waited for.
  private static func contents(_ pipe: consuming FileDescriptor) throws(Errno) -> [UInt8] {
    var output: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 12)
    while output.count <= 1 << 16 {
      let count = try pipe.read(into: &buffer)
      if count == 0 { break }
      output += buffer[..<count]
    }
    return output
  }
}
