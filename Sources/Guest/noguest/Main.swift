import AgentProtocol
import CGuest

/// noguest: PID 1 of a machine; or, for tests and for machines that have an init of their own, an agent among other
/// processes.
@c(main)
func main(_ count: Int32, _ vector: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Int32 {
  if getpid() == 1 { Startup.run() }
  let arguments = unsafe arguments(count, vector)
  guard arguments.count == 4, arguments[1] == "agent", arguments[2] == "--unix" else {
    Log.error("usage: noguest agent --unix PATH; as PID 1 it takes no arguments")
    return 2
  }
  do throws(SystemError) {
    try serve(at: arguments[3])
  } catch {
    Log.error(arguments[3] + ": " + error.text)
    return 1
  }
}

/// Serves commands on a Unix socket, and greets the host on `PATH_1024`, where the VMM's bridge would have it.
private func serve(at path: Bytes) throws(SystemError) -> Never {
  try Machine.adoptOrphans()
  let server = try CommandServer(
    Socket.listen(path: path),
    greeting: Greeting(.hello(Hello(kernelRelease: Machine.kernelRelease))) { () throws(SystemError) in
      try Socket.connect(path: path + "_" + Bytes(decimal: Int(Agent.port)))
    },
    ending: ProcessEnding())
  server.run()
}

private func arguments(_ count: Int32, _ vector: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> [Bytes] {
  (0..<Int(count)).map { index in
    var argument: Bytes = []
    // The kernel ends each argument with a NUL (execve(2)).
    guard var next = unsafe vector[index] else { return argument }
    while unsafe next.pointee != 0 {
      unsafe argument.append(UInt8(bitPattern: next.pointee))
      unsafe next += 1
    }
    return argument
  }
}
