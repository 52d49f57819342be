import ArgumentParser

/// How long a machine may take to end by itself; the same for every command that ends one so.
struct StopGrace: ParsableArguments {
  @Option(
    name: [.customShort("t", allowingJoined: true), .long], parsing: .unconditional,
    help: "Seconds to wait before the machine is ended.")
  var time = 10

  var seconds: Double { Double(time) }

  func validate() throws {
    guard time >= 0 else { throw ValidationError("--time: \(time) is not possible; give 0 seconds or more") }
  }
}
