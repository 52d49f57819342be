import Glibc
import Host
import Images

/// Ports of the host's for what an image exposes.
enum ExposedPorts {
  private static let most = 256

  /// As `--publish` has them. Nobody keeps a port from others until the machine takes it.
  static func published(_ image: Image) throws(NovmError) -> [String] {
    let exposed = image.exposedPorts
    guard exposed.count <= most else {
      throw .unfitImage(image.name, "exposes \(exposed.count) ports; --publish-all takes \(most) at most")
    }
    // Held until all are found, so that each is another one.
    var held: [FreePort] = []
    var published: [String] = []
    for text in exposed {
      let words = text.split(separator: "/", omittingEmptySubsequences: false)
      let transport = words.count > 1 ? words[1].lowercased() : "tcp"
      guard words.count <= 2, let guest = UInt16(words[0]), guest > 0 else {
        throw .unfitImage(
          image.name, "exposes '\(ByteString.printable(String(text.prefix(100))))', which is no port")
      }
      // SCTP.
      guard transport == "tcp" || transport == "udp" else { continue }
      let isStream = transport == "tcp"
      let port: FreePort?
      do { port = try FreePort.find(isStream ? .stream : .datagram) } catch { throw .call("bind", error) }
      guard let port else { throw .unfitImage(image.name, "exposes ports, and the host has none left for them") }
      published.append("\(port.number):\(guest)" + (isStream ? "" : "/udp"))
      held.append(port)
    }
    return withExtendedLifetime(held) { published }
  }
}

/// A port of the host's loopback that nobody has, in both families where there are both.
private struct FreePort {
  let number: UInt16
  private let sockets: [SharedFile]

  /// nil if there is none.
  static func find(_ kind: InternetSocket.Kind) throws(Errno) -> FreePort? {
    for _ in 0..<100 {
      guard let four = InternetAddress("127.0.0.1", port: 0) else { return nil }
      var sockets = [SharedFile(try InternetSocket.listen(kind, four))]
      guard let number = InternetSocket.port(of: sockets[0].file), let six = InternetAddress("::1", port: number) else {
        return nil
      }
      do throws(Errno) {
        sockets.append(SharedFile(try InternetSocket.listen(kind, six)))
      } catch {
        // Anything else: there is no IPv6.
        if error == Errno(EADDRINUSE) { continue }
      }
      return FreePort(number: number, sockets: sockets)
    }
    return nil
  }
}
