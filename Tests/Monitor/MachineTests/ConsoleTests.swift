import Devices
import Glibc
import Host
import Testing
import Virtio
import VirtioTesting

@testable import Machine

/// The host's ends of the virtio console and of COM1, on pipes.
struct ConsoleTests {
  @Test func consoleOutputWaitsForTheReader() throws {
    let bench = try ConsoleBench()
    // A pipe holds 64 KiB: the rest stays in the guest's buffer until somebody reads.
    let text = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    try bench.memory.write(text, at: 0x40000)
    bench.onLoop {
      bench.transmit.offer([.readable(0x40000, UInt32(text.count))])
      try! bench.device.process(bench.transmit.deviceSide)
    }
    #expect(bench.onLoop { bench.transmit.reap() == nil })
    #expect(read(bench.output, count: text.count) == text)
    #expect(eventually { bench.onLoop { bench.transmit.reap() != nil } })
  }

  @Test func consoleInputArrives() throws {
    let bench = try ConsoleBench()
    bench.onLoop {
      bench.receive.offer([.writable(0x40000, 100)])
      try! bench.device.process(bench.receive.deviceSide)
    }
    try bench.input.writeAll(Array("ls\n".utf8))
    #expect(eventually { bench.onLoop { bench.receive.reap()?.written == 3 } })
    #expect(try bench.memory.read(count: 3, at: 0x40000) == Array("ls\n".utf8))
    // Without buffers the input waits in the pipe, and nothing spins.
    try bench.input.writeAll(Array("pwd\n".utf8))
    usleep(20_000)
    bench.onLoop {
      bench.receive.offer([.writable(0x40000, 100)])
      try! bench.device.process(bench.receive.deviceSide)
    }
    #expect(eventually { bench.onLoop { bench.receive.reap()?.written == 4 } })
  }

  @Test func consoleOutputWithoutAReaderIsDropped() throws {
    signal(SIGPIPE, SIG_IGN)
    let bench = try ConsoleBench()
    bench.closeOutput()
    bench.onLoop {
      bench.transmit.offer([.readable(0x40000, 100_000)])
      try! bench.device.process(bench.transmit.deviceSide)
    }
    #expect(bench.onLoop { bench.transmit.reap() != nil })
  }

  @Test func serialPassesBothWays() throws {
    let loop = try EventLoop()
    let (input, output) = (try Pipe(), try Pipe())
    let interrupts = InterruptCounter()
    let line = SerialLine(
      TextChannel(
        output: try FileDescriptor.duplicate(of: output.write), input: try FileDescriptor.duplicate(of: input.read)),
      interrupt: interrupts, loop: loop)
    let thread = try Thread("loop") { try! loop.run() }
    defer {
      loop.stop()
      thread.join()
    }
    for byte in "login: ".utf8 { line.write(UInt64(byte), offset: 0, width: 1) }
    #expect(read(output.read, count: 7) == Array("login: ".utf8))

    // More than the FIFO holds, so it comes in several parts, each when the last one is read.
    line.write(1, offset: 2, width: 1)
    let typed = Array("a line of more than sixteen bytes\n".utf8)
    try FileDescriptor.duplicate(of: input.write).writeAll(typed)
    var got: [UInt8] = []
    #expect(
      eventually {
        while line.read(offset: 5, width: 1) & 1 == 1 { got.append(UInt8(line.read(offset: 0, width: 1))) }
        return got.count >= typed.count
      })
    #expect(got == typed)
  }
}

/// A console on pipes, its loop running.
private final class ConsoleBench: @unchecked Sendable {
  let memory = FakeGuestMemory(size: 1 << 20)
  let receive: DriverQueue
  let transmit: DriverQueue
  let device: ConsoleDevice
  private let loop: EventLoop
  private var thread: Thread?
  private let inputPipe: Pipe
  private let outputPipe: Pipe

  var input: FileDescriptor { try! FileDescriptor.duplicate(of: inputPipe.write) }
  var output: Int32 { outputPipe.read }

  init() throws {
    loop = try EventLoop()
    (inputPipe, outputPipe) = (try Pipe(), try Pipe())
    receive = DriverQueue(memory, size: 8, base: 0x1000, index: 0)
    transmit = DriverQueue(memory, size: 8, base: 0x10000, index: 1)
    let line = ConsoleLine(
      TextChannel(
        output: try FileDescriptor.duplicate(of: outputPipe.write),
        input: try FileDescriptor.duplicate(of: inputPipe.read)),
      loop: loop)
    device = ConsoleDevice(backend: line)
    line.device = device
    device.start([receive.deviceSide, transmit.deviceSide], features: .common)
    let loop = loop
    thread = try Thread("loop") { try! loop.run() }
  }

  deinit {
    loop.stop()
    thread?.join()
  }

  func closeOutput() { outputPipe.closeRead() }

  func onLoop<Result>(_ body: @escaping () -> Result) -> Result {
    // By `post`, which does not ask whether the loop has begun.
    let done = try! EventFD()
    let box = Box<Result>()
    loop.post {
      box.value = body()
      done.signal()
    }
    done.wait()
    return box.value!
  }
}

private final class Box<Value> {
  var value: Value?
}

private final class Pipe {
  private(set) var read: Int32
  let write: Int32

  init() throws {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw Errno.current }
    (read, write) = (ends[0], ends[1])
  }

  deinit {
    closeRead()
    close(write)
  }

  func closeRead() {
    if read >= 0 { close(read) }
    read = -1
  }
}

private func read(_ descriptor: Int32, count: Int) -> [UInt8] {
  var result: [UInt8] = []
  var bytes = [UInt8](repeating: 0, count: 4096)
  while result.count < count {
    let length = Glibc.read(descriptor, &bytes, min(bytes.count, count - result.count))
    if length <= 0 { break }
    result += bytes[..<length]
  }
  return result
}

private func eventually(_ condition: () -> Bool) -> Bool {
  for _ in 0..<1000 {
    if condition() { return true }
    usleep(5000)
  }
  return false
}
