import Glibc
import Host
import Testing

@testable import Confinement

struct SocketBrokerTests {
  /// One that was stopped is not waited for, and removes the names once it goes on.
  @Test func aLateOneRemovesItsNames() async {
    await #expect(processExitsWith: .success) {
      let name = "/tmp/novm-broker-\(getpid())"
      let listener = try UnixSocket.listen(Path(name))
      let broker = try SocketBroker(connectingBeneath: nil, removing: [Path(name)], patience: 1)
      try #require(kill(broker.process, SIGSTOP) == 0)
      #expect(throws: Errno.inputOutput) { _ = try broker.connect(port: 1) }
      broker.close()
      try #require(access(name, F_OK) == 0)
      try #require(kill(broker.process, SIGCONT) == 0)
      var status: Int32 = 0
      try #require(waitpid(broker.process, &status, 0) == broker.process && status == 0)
      try #require(access(name, F_OK) != 0)
      _ = listener.raw
    }
  }
}
