import CLinux
import Glibc
import Testing

@testable import Host

/// Descriptors that come with a message (unix(7), SCM_RIGHTS).
struct PassedDescriptorsTests {
  enum Receiver: CaseIterable {
    case ofOrders, ofTheBroker
  }

  /// Whoever sends more of them than one makes nothing but the one stay open here.
  @Test(arguments: Receiver.allCases, [1, 2, 3])
  func onlyOneIsTaken(_ receiver: Receiver, _ count: Int) throws {
    let (here, there) = try UnixSocket.pair().split()
    let socket = FileDescriptor(owning: here)
    defer { close(there) }
    // The reading ends of pipes are here; the writing ends are nowhere but in the message.
    var readers: [Int32] = []
    var writers: [Int32] = []
    for _ in 0..<count {
      var pipe: [Int32] = [-1, -1]
      try #require(unsafe Glibc.pipe(&pipe) == 0)
      for end in pipe { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      _ = fcntl(pipe[0], F_SETFL, O_NONBLOCK)
      readers.append(pipe[0])
      writers.append(pipe[1])
    }
    defer { for reader in readers { close(reader) } }
    try send(writers, there)
    for writer in writers { close(writer) }

    var descriptor: FileDescriptor?
    switch receiver {
    case .ofOrders:
      var buffer = [UInt8](repeating: 0, count: 16)
      let length = try UnixSocket.receive(socket, into: &buffer, &descriptor)
      #expect(length == 1 && buffer[0] == 7)
    case .ofTheBroker:
      var number: Int32 = -1
      let byte = unsafe clinux_receive_descriptor(socket.raw, &number)
      #expect(byte == 7)
      if number >= 0 { descriptor = FileDescriptor(owning: number) }
    }
    let taken = descriptor?.raw ?? -1
    #expect(fcntl(taken, F_GETFD) == FD_CLOEXEC)
    #expect(!isClosed(readers[0]))
    for reader in readers.dropFirst() { #expect(isClosed(reader)) }
    descriptor = nil
    #expect(isClosed(readers[0]))
  }

  /// Whether nobody has the writing end of a pipe any more; children of other tests may for a moment.
  private func isClosed(_ reader: Int32) -> Bool {
    for _ in 0..<100 {
      var byte: UInt8 = 0
      if unsafe read(reader, &byte, 1) == 0 { return true }
      usleep(2000)
    }
    return false
  }

  private func send(_ descriptors: [Int32], _ socket: Int32) throws {
    // struct cmsghdr: its length with what follows, level, type.
    let size = 16
    let length = size + 4 * descriptors.count
    var control = [UInt64](repeating: 0, count: (length + 7) / 8)
    var byte: UInt8 = 7
    let sent = unsafe control.withUnsafeMutableBytes { control in
      unsafe control.storeBytes(of: length, as: Int.self)
      unsafe control.storeBytes(of: SOL_SOCKET, toByteOffset: 8, as: Int32.self)
      unsafe control.storeBytes(of: Int32(SCM_RIGHTS), toByteOffset: 12, as: Int32.self)
      for (index, descriptor) in descriptors.enumerated() {
        unsafe control.storeBytes(of: descriptor, toByteOffset: size + 4 * index, as: Int32.self)
      }
      return unsafe withUnsafeMutablePointer(to: &byte) { byte in
        var vector = unsafe iovec(iov_base: byte, iov_len: 1)
        return unsafe withUnsafeMutablePointer(to: &vector) { vector in
          var message = unsafe msghdr()
          unsafe message.msg_iov = vector
          unsafe message.msg_iovlen = 1
          unsafe message.msg_control = control.baseAddress
          unsafe message.msg_controllen = length
          return unsafe sendmsg(socket, &message, 0)
        }
      }
    }
    try #require(sent == 1)
  }
}
