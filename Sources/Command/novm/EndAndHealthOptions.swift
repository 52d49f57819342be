import ArgumentParser
import NovmKit

/// What is said in the place of an image's own words on how its command ends and fares; the same for every command that makes a
/// machine.
struct EndAndHealthOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What `novm stop` sends to the command of a machine in the background: a signal's name or number; TERM, or what the image says.",
      valueName: "signal"))
  var stopSignal: String?

  @Option(
    help: ArgumentHelp(
      "A command of the guest's shell that tells by its status whether the machine's command does its work; see: novm ls.",
      valueName: "words"))
  var healthCmd: String?

  @Option(help: ArgumentHelp("The time between two such checks; 30s, or what the image says.", valueName: "time"))
  var healthInterval: String?

  @Option(help: ArgumentHelp("The time that a check may take; 30s, or what the image says.", valueName: "time"))
  var healthTimeout: String?

  @Option(
    help: ArgumentHelp(
      "The time in the beginning in which no failure counts; none, or what the image says.", valueName: "time"))
  var healthStartPeriod: String?

  @Option(
    help: ArgumentHelp("Failures in a row that make it unhealthy; 3, or what the image says.", valueName: "count"))
  var healthRetries: Int?

  @Flag(help: "Leave out the image's own checks.")
  var noHealthcheck = false

  /// - Parameter least: in seconds.
  private static func seconds(_ option: String, _ text: String?, least: Int = 1) throws -> Double? {
    guard let text else { return nil }
    guard let span = TimeSpan(text), span.seconds >= least else {
      throw ValidationError("\(option): '\(text)' \(TimeSpan.advice)")
    }
    return Double(span.seconds)
  }

  func validate() throws {
    if let stopSignal, SignalName.number(stopSignal) == nil {
      throw ValidationError("--stop-signal: '\(stopSignal)' \(SignalName.advice)")
    }
    if let healthRetries, healthRetries < 1 {
      throw ValidationError("--health-retries: \(healthRetries) is not possible; give 1 or more")
    }
    if noHealthcheck, healthCmd != nil || changes {
      throw ValidationError(
        "--no-healthcheck: leaves nothing to --health-cmd and the like; give one or the other, not both")
    }
    _ = try changed(HealthCheck(command: []))
  }

  private var changes: Bool {
    healthInterval != nil || healthTimeout != nil || healthStartPeriod != nil || healthRetries != nil
  }

  /// Whether something is said that is of a command.
  var areGiven: Bool { healthCmd != nil || changes || stopSignal != nil }

  private func changed(_ check: HealthCheck) throws -> HealthCheck {
    var check = check
    if let seconds = try Self.seconds("--health-interval", healthInterval) { check.interval = seconds }
    if let seconds = try Self.seconds("--health-timeout", healthTimeout) { check.timeout = seconds }
    if let seconds = try Self.seconds("--health-start-period", healthStartPeriod, least: 0) {
      check.startPeriod = seconds
    }
    if let healthRetries { check.retries = healthRetries }
    return check
  }

  /// The check, where an image may have one.
  func health(of image: HealthCheck?) throws -> HealthCheck? {
    if noHealthcheck { return nil }
    var check = image
    if let healthCmd {
      let words = ["/bin/sh", "-c", healthCmd]
      if check == nil { check = HealthCheck(command: words) } else { check?.command = words }
    }
    guard let check else {
      if changes { throw ValidationError("there is no health check to change; give one with --health-cmd") }
      return nil
    }
    return try changed(check)
  }
}
