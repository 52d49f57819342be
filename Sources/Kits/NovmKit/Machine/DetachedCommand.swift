import AgentProtocol
import Glibc

/// A command in a machine that goes on by itself.
package enum DetachedCommand {
  /// Returns once the command runs.
  ///
  /// - Parameter vsock: the Unix socket that stands for the guest's vsock.
  package static func start(_ command: Command, vsock: String) throws(NovmError) {
    var command = command
    command.options.insert(.detached)
    let loop = PollLoop()
    let session = try Session(
      command, on: AgentConnection(vsock: vsock), loop: loop, input: nil, output: ErrorText(), error: ErrorText())
    try loop.run { session.isStarted || session.result != nil }
    session.leave(loop)
    if case .failed(let failure) = session.result {
      throw .commandFailed(command: command.arguments.first ?? [], failure)
    }
    guard session.isStarted else { throw .agentLost }
  }
}
