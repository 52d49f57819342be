import AgentProtocol
import CGuest

/// The tree's own init as PID 1, and the agent beside it (docs/decisions/0023-the-trees-own-init.md).
enum TreeInit {
  /// Executes the tree's init in this process, PID 1, and comes back in a new one, which is the agent.
  static func start(_ path: Bytes) throws(Failure) {
    do throws(SystemError) {
      let outcome = try Pipe()
      guard try Processes.fork() == nil else {
        let error = Processes.execute(path, [path], ["HOME=/", "TERM=linux", "PATH=" + Environment.defaultPath])
        _ = try? outcome.writer.write([1])
        throw error
      }
      becomeAgent(once: outcome.takeReader())
    } catch {
      throw Failure(
        kind: .rejected, errno: UInt32(error.number), message: "cannot run the tree's init, " + path + ": " + error.text
      )
    }
  }

  /// - Parameter reader: of the pipe whose other end closes when init has been executed, or says that it was not.
  private static func becomeAgent(once reader: consuming Descriptor) {
    var word: Bytes = []
    // PID 1 tells the host why there is no machine; this process has nothing to add.
    guard (try? reader.read(into: &word, limit: 1)) == 0 else { _exit(1) }
    awaitSystemd()
    _ = setsid()
    Processes.setName("noguest")
    // The console is init's from here on.
    guard let log = try? Descriptor.open("/dev/kmsg", O_WRONLY) else { return }
    _ = dup2(log.number, 1)
    _ = dup2(log.number, 2)
  }

  /// Waits until systemctl(1) has somebody to talk to, since that is what the first command in such a machine may be.
  private static func awaitSystemd() {
    let end = Clock.milliseconds + patience
    while InitEnding.isSystemd, !Files.exists("/run/systemd/private"), Clock.milliseconds < end {
      Clock.sleep(milliseconds: 20)
    }
  }

  private static let patience: Int64 = 120_000
}
