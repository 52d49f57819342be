import Glibc
import Testing

@testable import Host

/// What goes on where the process has no descriptor left. Each in a process of its own, whose limit it lowers.
struct ShortDescriptorsTests {
  /// What is done on the loop's thread is done there, by nobody else.
  @Test func workStaysOnItsThread() async {
    await #expect(processExitsWith: .success) {
      let loop = try EventLoop()
      let owner = pthread_self()
      let isThere = Shared(false)
      let thread = try Thread("asks") {
        takeAllDescriptors()
        loop.perform { isThere.value = pthread_equal(owner, pthread_self()) != 0 }
        loop.stop()
      }
      // It asks before there is anybody who listens.
      usleep(50_000)
      try loop.run()
      thread.join()
      try #require(isThere.value)
    }
  }

  /// A client waits, and costs nothing while it does.
  @Test func listenersRest() async {
    await #expect(processExitsWith: .success) {
      let loop = try EventLoop()
      let path = Path("/tmp/novm-listener-\(getpid())")
      let clients = Shared(0)
      let listener = try UnixListener(path, loop) { socket in
        clients.value += 1
        loop.stop()
        _ = consume socket
      }
      defer { listener.close() }
      let client = try UnixSocket.connect(path)
      let spare = try FileDescriptor.open("/dev/null", OpenFlags.read).release()
      takeAllDescriptors()
      let thread = try Thread("gives back") {
        usleep(500_000)
        close(spare)
      }
      try loop.run()
      thread.join()
      _ = consume client
      try #require(clients.value == 1)
      // Two each time that it looks, which it does ten times a second. Who does not rest has some hundred thousand.
      try #require((2..<1000).contains(loop.turns))
    }
  }
}

private final class Shared<Value>: @unchecked Sendable {
  var value: Value
  init(_ value: Value) { self.value = value }
}

private func takeAllDescriptors() {
  var limit = rlimit(rlim_cur: 64, rlim_max: 64)
  setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  while dup(2) >= 0 {}
}
