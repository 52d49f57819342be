import Glibc
import Novm

/// The examples of the languages beside this one, in one program: `examples NAME ARGUMENT...`.
@main
struct Examples {
  static func main() async {
    do {
      try await example(Array(CommandLine.arguments.dropFirst()))
    } catch {
      let line = Array("\(error)\n".utf8)
      _ = write(STDERR_FILENO, line, line.count)
      exit(1)
    }
  }

  private static func example(_ words: [String]) async throws {
    switch (words.first, words.count) {
    case ("run", 1): try await run()
    case ("jobs", 2...3): try await jobs(words[1], machines: words.count > 2 ? Int(words[2]) ?? 4 : 4)
    case ("try_diff_apply", 2): try await tryDiffApply(words[1])
    case ("server", 2): try await server(port: UInt16(words[1]) ?? 8080)
    case ("files_and_terminal", 1): try await filesAndTerminal()
    default:
      print("usage: examples run|jobs DIRECTORY [MACHINES]|try_diff_apply DIRECTORY|server PORT|files_and_terminal")
    }
  }

  /// What most of them begin with: a machine that is gone when it has ended.
  static func machine(_ settings: (String, String)...) throws -> Machine {
    var description = Description()
    try description.set("memory", "256M")
    try description.set("rm", "true")
    for (name, value) in settings { try description.set(name, value) }
    let machine = try Store().create(description)
    try machine.start(patience: .seconds(120))
    return machine
  }

  static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
