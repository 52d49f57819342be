import Foundation
import Testing

@testable import Store

struct AccountsTests {
  @Test func homes() throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("novm-passwd-\(UUID())")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data(
      """
      root:x:0:0:root:/root:/bin/bash
      # no account

      short:x:7:7
      nowhere:x:8:8:::
      a:x:1000:1000:A,,,:/home/a:/bin/sh
      again:x:1000:1000::/home/again:/bin/sh
      """.utf8
    ).write(to: file)
    #expect(Accounts.home(of: 0, in: file.path) == "/root")
    #expect(Accounts.home(of: 1000, in: file.path) == "/home/a")
    for user: UInt32 in [7, 8, 9] { #expect(Accounts.home(of: user, in: file.path) == nil) }
    #expect(Accounts.home(of: 0, in: "/nowhere") == nil)
    #expect(Accounts.home(of: 0) != nil)
  }
}
