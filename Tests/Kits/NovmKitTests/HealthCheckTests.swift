import NovmKit
import Testing

struct HealthCheckTests {
  private func fares(_ results: [Bool], isEarly: (Int) -> Bool = { _ in false }) -> Health {
    var check = HealthCheck(command: ["x"])
    check.retries = 3
    var health = Health()
    for (place, result) in results.enumerated() {
      health.take(succeeded: result, output: "\(place)", isEarly: isEarly(place), check)
    }
    return health
  }

  @Test func failuresInARow() {
    #expect(fares([]).status == .starting)
    #expect(fares([true]).status == .healthy)
    #expect(fares([false, false]).status == .starting)
    #expect(fares([false, false, false]).status == .unhealthy)
    #expect(fares([false, false, true, false, false]).status == .healthy)
    #expect(fares([false, false, true, false, false]).failures == 2)
    #expect(fares([false, false, false, true]).status == .healthy)
    #expect(fares([true, false]).output == "1")
  }

  /// What is on its way has its time; what was there has not.
  @Test func theBeginningDoesNotCount() {
    #expect(fares([false, false, false, false]) { $0 < 2 }.failures == 2)
    #expect(fares([false, false, false, false]) { _ in true }.status == .starting)
    #expect(fares([true, false, false, false]) { _ in true }.status == .unhealthy)
  }

  @Test func boundsWhoeverSays() {
    var check = HealthCheck(command: ["x"])
    (check.interval, check.timeout, check.startInterval, check.retries) = (1e-9, -1, .infinity, 0)
    check.startPeriod = .nan
    let bounded = check.bounded
    #expect(bounded.interval == 1 && bounded.timeout == 30 && bounded.startInterval == 1e9 && bounded.retries == 3)
    #expect(bounded.startPeriod == 0)
  }
}
