import ArgumentParser

enum Version {
  static let number = "0.1.0"
  static let text = "novm \(number)"
}

struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "Print novm's version.",
    discussion: """
      Example:
        novm version
      """)

  func run() { print(Version.text) }
}
