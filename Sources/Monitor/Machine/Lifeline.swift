import Host

/// Ends the machine when whoever started it is gone: when the other end of a pipe or socket is closed.
final class Lifeline: EventHandler {
  private let machine: Machine

  /// - Parameter descriptor: an inherited descriptor, from which nothing is ever read but the end of file.
  init(_ descriptor: Int32, _ machine: Machine) throws(Errno) {
    self.machine = machine
    try machine.loop.add(descriptor, .readable, self, isAlways: true)
  }

  func ready(_ events: EventLoop.Events) {
    machine.end(.ended(signal: 1))  // SIGHUP: the terminal, so to speak, is gone.
  }
}
