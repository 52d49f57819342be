import AgentProtocol
import Foundation
import HostTesting
import Testing

/// Who commands run as. Only root can be somebody else.
@Suite(.needsRoot) struct UserTests {
  let agent: GuestAgent

  init() throws { agent = try GuestAgent() }

  private func identity(_ user: String) throws -> [Substring] {
    let result = try agent.run("sh", "-c", "id -u; id -g; id -G; echo $HOME", user: user)
    #expect(result.end == .exited(code: 0), "\(user): \(result.failure?.message.text ?? "")")
    return result.stdout.text.split(separator: "\n")
  }

  @Test func isRootByDefault() throws {
    #expect(try identity("") == ["0", "0", "0", "/root"])
  }

  @Test func takesNamesAndNumbers() throws {
    // daemon and its like have these numbers on every Debian (base-passwd).
    #expect(try identity("daemon") == ["1", "1", "1", "/usr/sbin"])
    #expect(try identity("1") == ["1", "1", "1", "/usr/sbin"])
    #expect(try identity("daemon:tty") == ["1", "5", "5", "/usr/sbin"])
    #expect(try identity("daemon:4321") == ["1", "4321", "4321", "/usr/sbin"])
    #expect(try identity("54321") == ["54321", "0", "0", "/"])
    #expect(try identity("54321:12345") == ["54321", "12345", "12345", "/"])
  }

  @Test func cannotComeBack() throws {
    let result = try agent.run("sh", "-c", "cat /etc/shadow", user: "daemon")
    #expect(result.stdout.isEmpty && result.end == .exited(code: 1))
  }

  @Test func ownsItsTerminal() throws {
    let command = Command(
      arguments: ["sh", "-c", "echo hello >/dev/tty; stat -c %U $(tty)"].map(\.bytes), user: "daemon".bytes,
      options: .terminal)
    #expect(try agent.run(command).stdout.text == "hello\r\ndaemon\r\n")
  }
}
