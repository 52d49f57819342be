import Host

/// Output that is taken at once, whatever it is: nothing waits, and nobody goes away.
package protocol ImmediateOutput: CommandOutput {}

extension ImmediateOutput {
  package var pending: Int { 0 }
  package var dropped: Int { 0 }
  package var onBreak: (Errno) throws(NovmError) -> Void {
    get { { _ throws(NovmError) in } }
    set {}
  }
  package var interest: PollInterest? { nil }
  package func ready(_ events: Int32) {}
}
