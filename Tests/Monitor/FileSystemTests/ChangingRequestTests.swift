import FUSE
import Foundation
import Host
import Testing

@testable import FileSystem

/// A guest whose other processors rewrite a request while it is served: each field is either as it was or as it is now,
/// and what the server has looked at is what it uses.
struct ChangingRequestTests {
  let layers = Layers()

  /// A request that is well, and what it is changed to and back.
  private struct Change {
    let opcode: Opcode
    let arguments: [UInt8]
    let other: [UInt8]
  }

  private static let changes: [Change] = {
    func name(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }
    func numbers(_ values: UInt32...) -> [UInt8] {
      values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) } }
    }
    // As long as each other, so that any mixture of the two is a request.
    let inside = name("a-b-cdefgh")
    let outside = name("../outside")
    return [
      Change(opcode: .lookup, arguments: inside, other: outside),
      Change(opcode: .unlink, arguments: inside, other: outside),
      Change(opcode: .rmdir, arguments: inside, other: outside),
      Change(opcode: .mkdir, arguments: numbers(0o755, 0) + inside, other: numbers(0o755, 0) + outside),
      Change(opcode: .symlink, arguments: inside + name("x"), other: outside + name("x")),
      Change(opcode: .link, arguments: numbers(1, 0) + inside, other: numbers(1, 0) + outside),
      Change(
        opcode: .create, arguments: numbers(2, 0o644, 0, 0) + inside, other: numbers(2, 0o644, 0, 0) + outside),
      Change(
        opcode: .rename2, arguments: numbers(1, 0, 0, 0) + inside + inside,
        other: numbers(1, 0, 0, 0) + outside + outside),
      Change(
        opcode: .setxattr, arguments: numbers(4, 0, 0, 0) + name("user.a") + Array("text".utf8),
        other: numbers(.max, 0, 0, 0) + name("user.a") + Array("text".utf8)),
      // fuse_write_in: fh, offset, size, flags, lock owner, flags, padding.
      Change(
        opcode: .write, arguments: numbers(0, 0, 0, 0, 8, 0, 0, 0, 0, 0) + [UInt8](repeating: 1, count: 8),
        other: numbers(0, 0, .max, .max, .max, 0, 0, 0, 0, 0) + [UInt8](repeating: 1, count: 8)),
      Change(
        opcode: .read, arguments: numbers(0, 0, 0, 0, 64, 0, 0, 0, 0, 0),
        other: numbers(9, 9, .max, .max, .max, .max, .max, .max, 0, 0)),
    ]
  }()

  @Test(arguments: changes.indices) func nothingIsReachedOutside(index: Int) throws {
    let change = Self.changes[index]
    layers.put(layers.base + "/outside", "secret")
    let client = try layers.client()
    try client.put("file", "text")
    let node = change.opcode == .write || change.opcode == .read ? try client.node("file") : 1
    let before = Set(try FileManager.default.contentsOfDirectory(atPath: layers.base))

    let one = client.message(change.opcode, node, change.arguments)
    let two = client.message(change.opcode, node, change.other)
    let stop = Stop()
    let guest = Unchecked(client)
    let writer = Thread {
      while !stop.isSet {
        guest.client.rewrite(one)
        guest.client.rewrite(two)
      }
    }
    writer.start()
    var answers: Set<Int32> = []
    var rounds = 0
    // Until both kinds of request were seen, so that there was a race: a busy host may let the other thread wait.
    while rounds < 2000 || answers.count < 2 {
      rounds += 1
      let reply = client.send(one)
      answers.insert(reply.error)
      #expect(reply.bytes.firstRange(of: Array("secret".utf8)) == nil)
    }
    stop.set()
    while !writer.isFinished { usleep(1000) }

    #expect(layers.contents(layers.base + "/outside") == "secret")
    #expect(Set(try FileManager.default.contentsOfDirectory(atPath: layers.base)) == before)
    // And it goes on.
    try client.put("last", "words")
    #expect(try client.contents("last") == "words")
  }

  /// It and the test's thread write to the same memory, which is what is tested.
  private final class Unchecked: @unchecked Sendable {
    let client: FUSEClient
    init(_ client: FUSEClient) { self.client = client }
  }

  private final class Stop: @unchecked Sendable {
    private let lock = NSLock()
    private var value = false
    var isSet: Bool { lock.withLock { value } }
    func set() { lock.withLock { value = true } }
  }
}
