import Foundation
import Host
import HostTesting
import Testing

@testable import NovmKit
@testable import Store

/// A monitor that its guest has taken over, as it answers orders.
struct MonitorControlTests {
  private let directory: TemporaryDirectory
  private let record: MachineRecord

  init() throws {
    directory = try TemporaryDirectory()
    record = MachineRecord(
      identifier: "0123456789ab", name: "m", path: directory.path, runtime: directory.path, isAlive: true)
  }

  /// Answers one order by these bytes over and over, until the other side is gone.
  private func monitor(_ bytes: [UInt8], every microseconds: UInt32) throws -> PosixThread {
    let listener = try NovmKit.UnixSocket.listen(at: "\(directory.path)/control").release()
    return try PosixThread("monitor") {
      let listener = FileDescriptor(owning: listener)
      var interest = pollfd(fd: listener.raw, events: Int16(POLLIN), revents: 0)
      guard poll(&interest, 1, 20_000) == 1 else { return }
      let socket = accept(listener.raw, nil, nil)
      while send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) > 0 { usleep(microseconds) }
      close(socket)
    }
  }

  @Test func anAnswerEnds() throws {
    let monitor = try monitor([UInt8](repeating: 0x61, count: 1000), every: 0)
    let control = try #require(MonitorControl(record))
    #expect(throws: NovmError.system(doing: "ask", path: "\(directory.path)/control", Errno(EMSGSIZE))) {
      try control.balloon(nil)
    }
    monitor.join()
  }

  @Test func anAnswerComesInTime() throws {
    let monitor = try monitor([0x61], every: 20_000)
    var control = try #require(MonitorControl(record))
    control.patience = 300
    #expect(throws: NovmError.agentSilent) { try control.balloon(nil) }
    monitor.join()
  }
}
