/// How it is found out whether a machine's command does its work: by another one, every now and then (Docker's health checks).
package struct HealthCheck: Codable, Equatable, Sendable {
  /// The program and its arguments; status 0 means that all is well.
  package var command: [String]
  // In seconds.
  package var interval = 30.0
  package var timeout = 30.0
  /// From the command's start on, in which no failure counts.
  package var startPeriod = 0.0
  /// Between two in that time.
  package var startInterval = 5.0
  /// Failures in a row that make it unhealthy.
  package var retries = 3

  package init(command: [String]) { self.command = command }

  /// The same with times that a guest and its host can bear, whoever says them.
  package var bounded: HealthCheck {
    func seconds(_ value: Double, _ usual: Double) -> Double { value > 0 ? min(max(value, 1), 1e9) : usual }
    var check = self
    check.interval = seconds(interval, 30)
    check.timeout = seconds(timeout, 30)
    check.startPeriod = startPeriod > 0 ? min(startPeriod, 1e9) : 0
    check.startInterval = seconds(startInterval, 5)
    check.retries = retries > 0 ? retries : 3
    return check
  }
}

/// How a command fares by its health check.
package struct Health: Codable, Equatable, Sendable {
  package enum Status: String, Codable, Sendable {
    case starting, healthy, unhealthy
  }

  package var status = Status.starting
  /// In a row, until now.
  package var failures = 0
  /// What the last check said, the end of it.
  package var output = ""

  package init() {}

  /// Takes in how a check ended.
  ///
  /// - Parameter isEarly: whether the command may still be on its way.
  package mutating func take(succeeded: Bool, output: String, isEarly: Bool, _ check: HealthCheck) {
    self.output = output
    if succeeded {
      (status, failures) = (.healthy, 0)
    } else if !isEarly || status != .starting {
      failures += 1
      if failures >= check.retries { status = .unhealthy }
    }
  }
}
