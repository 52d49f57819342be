import FUSE
import Host
import Testing

@testable import FileSystem

/// Clients of every age: from Linux 5.4 (7.31) to 6.12 (7.41) and what may come.
struct ProtocolVersionTests {
  let layers = Layers()

  @Test(
    arguments: [
      // What they offer: up to `explicitInvalidateData` in 7.31, extended SETXATTR in 7.33, more than 32 bits since 7.36.
      (31, InitFlags(rawValue: 0x03ff_fffb)), (33, InitFlags(rawValue: 0x33ff_fffb)),
      (36, FUSEClient.linux), (41, InitFlags(rawValue: 0x1df_7bff_ffff)), (99, InitFlags(rawValue: .max >> 1)),
      // One that offers nothing.
      (31, []),
    ] as [(UInt32, InitFlags)])
  func worksWith(minor: UInt32, offering: InitFlags) throws {
    layers.lower("d/f", "text")
    let client = FUSEClient(FileSystemServer(try layers.tree()), offering: offering, minor: minor)
    // Nothing is agreed on that was not offered.
    #expect(client.flags.isSubset(of: offering))
    #expect(client.server.settings.minor == min(minor, FUSE.minorVersion))
    #expect(try client.contents("d/f") == "text")
    try client.put("d/f", "changed")
    try client.setxattr("d/f", "user.a", "b")
    #expect(try client.getxattr("d/f", "user.a") == "b")
    #expect(try client.names("d") == ["f"])
    try client.rename("d/f", "g")
    #expect(try client.contents("g") == "changed")
  }

  @Test func anOlderOneIsRefused() throws {
    let client = try layers.client()
    var message = FUSEClient.Bytes()
    for value in [7, 30, 0, 0] as [UInt32] { message.put(value) }
    #expect(client.call(.initialize, 0, message.bytes).error == Errno.protocolError.code)
    message = FUSEClient.Bytes()
    for value in [6, 0] as [UInt32] { message.put(value) }
    #expect(client.call(.initialize, 0, message.bytes).error == Errno.protocolError.code)
    // One of a later major version is told ours.
    message = FUSEClient.Bytes()
    for value in [8, 0] as [UInt32] { message.put(value) }
    let reply = client.call(.initialize, 0, message.bytes)
    #expect((reply.error, reply.load(UInt32.self, at: 0)) == (0, 7))
  }
}
