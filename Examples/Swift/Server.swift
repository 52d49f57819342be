import Glibc
import Novm

extension Examples {
  /// A web server in a machine, and a client of its here.
  static func server(port: UInt16) async throws {
    let machine = try Self.machine(("publish", "127.0.0.1:\(port):80"))
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw Failure(.system, "no pipe", number: errno) }
    var command = Command("python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "80")
    command.directory = Array("/usr/share".utf8)
    command.output = .descriptor(ends[1])
    let server = try machine.run(command)
    close(ends[1])
    // It says when it serves.
    _ = line(ends[0])

    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let status = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else { throw Failure(.system, "no connection", number: errno) }
    let request = Array("GET / HTTP/1.0\r\n\r\n".utf8)
    _ = write(client, request, request.count)
    print(line(client))
    server.cancel()
    try machine.stop(grace: .zero)
  }

  /// One line, without its end.
  private static func line(_ descriptor: Int32) -> String {
    var (bytes, byte): ([UInt8], UInt8) = ([], 0)
    while read(descriptor, &byte, 1) == 1, byte != UInt8(ascii: "\n") { bytes.append(byte) }
    return text(bytes.filter { $0 != UInt8(ascii: "\r") })
  }
}
