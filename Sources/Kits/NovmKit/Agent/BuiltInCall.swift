import AgentProtocol
import Glibc
import Host

/// Something that the guest's agent does itself (docs/agent-protocol.md, "Built in").
package struct BuiltInCall {
  private let arguments: [[UInt8]]
  private let vsock: String
  private let takesSignals: Bool

  /// - Parameters:
  ///   - vsock: the Unix socket that stands for the guest's vsock.
  ///   - takesSignals: whether this process's signals end it. Not in a program that only embeds novm, whose signals are its own.
  package init(_ arguments: [[UInt8]], vsock: String, takesSignals: Bool = true) {
    self.arguments = arguments
    self.vsock = vsock
    self.takesSignals = takesSignals
  }

  /// Does it, and returns when it is done.
  ///
  /// - Parameters:
  ///   - input: the descriptor for its standard input; nil for none.
  ///   - limit: how long to wait for it, in milliseconds; for ever if nil.
  func run(
    input: Int32? = nil, output: any CommandOutput, within limit: UInt64? = nil
  ) throws(NovmError) {
    let loop = PollLoop()
    if takesSignals {
      // A second handler of these signals would find none.
      loop.add(
        try SignalInbox([SIGINT, SIGTERM, SIGHUP, SIGPIPE]) { signal throws(NovmError) in
          if signal != SIGPIPE { throw .interrupted(signal) }
        })
    }
    let errors = ErrorText()
    var command = Command(arguments: arguments, options: .builtIn)
    if input != nil { command.options.insert(.input) }
    let session = try Session(
      command, on: AgentConnection(vsock: vsock), loop: loop, input: input, output: output, error: errors)
    let isDone = try loop.run(until: limit.map { .after(milliseconds: $0) }) { session.result != nil }
    session.leave(loop)
    guard isDone else { throw .agentSilent }
    switch session.result {
    case .exited(0)?: return
    case .failed(let failure)?: throw .commandFailed(command: arguments.first ?? [], failure)
    case .lost?, .detached?, nil: throw .agentLost
    case .exited?, .signaled?: throw .builtIn(errors.lastLine ?? "the agent failed without a word")
    }
  }
}
