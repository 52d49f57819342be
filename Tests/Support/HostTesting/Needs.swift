import Foundation
import Testing

/// What tests need beyond a Swift toolchain. One whose need is not met is skipped: the runner prints it with the need, and
/// scripts/test says how many there were. With NOVM_TEST_REQUIRE=1 what set-up would have brought is an error instead.
package enum Need {
  struct Unmet: Error, CustomStringConvertible {
    let description: String
  }

  package static var isRoot: Bool { geteuid() == 0 }

  /// Whether `what` is there. Throws where it has to be.
  static func isMet(_ what: String, _ isThere: Bool) throws -> Bool {
    if !isThere, ProcessInfo.processInfo.environment["NOVM_TEST_REQUIRE"] == "1" {
      throw Unmet(description: "\(what) is missing, with which this test would not be skipped")
    }
    return isThere
  }

  /// For one case of a test with arguments: ends it here if `what` is not there, and prints so, as the runner does not.
  package static func toGoOn(_ what: String, _ isThere: Bool) throws {
    if try isMet(what, isThere) { return }
    print("➜ Test case of \(Test.current?.name ?? "?") skipped: \"needs \(what)\"")
    try Test.cancel("needs \(what)")
  }
}

extension Trait where Self == ConditionTrait {
  /// What set-up brings: programs, packages, root.
  package static func needs(_ what: String, _ isThere: @autoclosure @escaping @Sendable () -> Bool) -> Self {
    .enabled("needs \(what)") { try Need.isMet(what, isThere()) }
  }

  package static var needsRoot: Self { .needs("root", Need.isRoot) }

  package static func needs(tool name: String) -> Self { .needs("the program \(name)", Tool.exists(name)) }

  /// What no set-up brings, such as what the host's kernel or file system can do.
  package static func needs(ofHost what: String, _ isThere: @autoclosure @escaping @Sendable () -> Bool) -> Self {
    .enabled("needs \(what)") { isThere() }
  }
}
