import CURing
import Foundation
import Host
import Testing

@testable import IOURing

/// Rings of this host's kernel; it must have io_uring.
@Suite(.enabled(if: (try? IORing(entries: 4)) != nil, "this host has no io_uring, or it is switched off"))
struct IORingTests {
  /// A file with a ring.
  private final class File {
    let descriptor: FileDescriptor
    let ring: IORing
    let path = FileManager.default.temporaryDirectory.appending(path: "novm-ring-\(UUID().uuidString)").path

    init(_ content: [UInt8], entries: UInt32 = 8) throws {
      try Data(content).write(to: URL(filePath: path))
      descriptor = try FileDescriptor.open(Path(path), O_RDWR)
      ring = try IORing(entries: entries)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The next that ends.
    func ended() -> IORing.Completion? {
      ring.wait()
      return ring.next()
    }

    var content: [UInt8] { Array((try? Data(contentsOf: URL(filePath: path))) ?? Data()) }
  }

  private func memory(_ bytes: [UInt8]) -> UnsafeMutableRawBufferPointer {
    let result = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 4096)
    result.copyBytes(from: bytes)
    return result
  }

  /// Whoever took the process over can write to the ring's memory: what it asks for beyond transfers is refused, and so is
  /// having the restrictions taken back.
  @Test func aRingOpensNothing() throws {
    let ring = try IORing(entries: 4)
    let path = Array("/etc/passwd\0".utf8CString)
    let result: Int32 = path.withUnsafeBufferPointer { path in
      let entry = io_uring_get_sqe(ring.ring)!
      io_uring_prep_openat(entry, AT_FDCWD, path.baseAddress!, O_RDONLY, 0)
      io_uring_submit(ring.ring)
      var completion: UnsafeMutablePointer<io_uring_cqe>?
      io_uring_wait_cqe(ring.ring, &completion)
      return completion!.pointee.res
    }
    #expect(result == -EACCES)
    #expect(io_uring_register_files_sparse(ring.ring, 4) == -EACCES)
  }

  @Test func transfersOfOneAndOfManyPieces() throws {
    let file = try File([UInt8](0..<200))
    let first = memory([1, 2, 3])
    let second = memory([4, 5])
    defer {
      first.deallocate()
      second.deallocate()
    }
    #expect(file.ring.append(first) && file.ring.add(.write(10, isDurable: true), of: file.descriptor.raw, token: 7))
    #expect(file.ended() == .init(token: 7, result: 3))
    #expect(file.ring.append(first) && file.ring.append(second))
    #expect(file.ring.add(.write(20, isDurable: false), of: file.descriptor.raw, token: 8))
    #expect(file.ended() == .init(token: 8, result: 5))
    #expect(file.content[9..<14] == [9, 1, 2, 3, 13])
    #expect(file.content[19..<26] == [19, 1, 2, 3, 4, 5, 25])
    // What lies at the end of the file is not all there.
    #expect(file.ring.append(second) && file.ring.append(first))
    #expect(file.ring.add(.read(198), of: file.descriptor.raw, token: .max))
    #expect(file.ended() == .init(token: .max, result: 2))
    #expect(Array(second) == [198, 199] && Array(first) == [1, 2, 3])
    #expect(file.ring.append(first) && file.ring.add(.read(0), of: file.descriptor.raw, token: 0))
    #expect(file.ended() == .init(token: 0, result: 3))
    #expect(Array(first) == [0, 1, 2])
    #expect(file.ring.underWay == 0 && file.ring.next() == nil)
  }

  @Test func otherOperations() throws {
    let file = try File([UInt8](repeating: 9, count: 3 * 65536))
    #expect(file.ring.add(.flush, of: file.descriptor.raw, token: 1))
    #expect(file.ended() == .init(token: 1, result: 0))
    #expect(file.ring.add(.discard(65536, 65536), of: file.descriptor.raw, token: 2))
    let completion = try #require(file.ended())
    #expect(completion.token == 2)
    guard completion.result == 0 else { return #expect(completion.result == -EOPNOTSUPP) }
    #expect(file.content == [9, 0, 9].flatMap { [UInt8](repeating: $0, count: 65536) })
    #expect(file.ring.add(.zero(0, 65536), of: file.descriptor.raw, token: 3))
    if file.ended()?.result == 0 { #expect(file.content[0..<65537] == [UInt8](repeating: 0, count: 65537)[...]) }
  }

  @Test func errorsComeBack() throws {
    let file = try File([1])
    let piece = memory([0])
    defer { piece.deallocate() }
    #expect(file.ring.append(piece) && file.ring.add(.read(0), of: -1, token: 5))
    #expect(file.ended() == .init(token: 5, result: -EBADF))
    #expect(file.ring.append(piece) && file.ring.add(.read(UInt64(Int64.max)), of: file.descriptor.raw, token: 6))
    #expect(try #require(file.ended()).result <= 0)
  }

  /// No more fits than what a system call hands over, nor more pieces than there is room for; afterwards there is room anew.
  @Test func fullRings() throws {
    let file = try File([UInt8](repeating: 3, count: 4096), entries: 4)
    let piece = memory([0])
    defer { piece.deallocate() }
    for round in 0..<50 {
      for token in 0..<4 {
        #expect(file.ring.append(piece) && file.ring.add(.read(0), of: file.descriptor.raw, token: UInt64(token)))
      }
      #expect(file.ring.append(piece) && !file.ring.add(.read(0), of: file.descriptor.raw, token: 4), "\(round)")
      file.ring.dropPieces()
      #expect(file.ring.submit())
      var tokens: Set<UInt64> = []
      while tokens.count < 4 {
        let completion = try #require(file.ended())
        #expect(completion.result == 1)
        tokens.insert(completion.token)
      }
      #expect(tokens == [0, 1, 2, 3])
    }
    for _ in 0..<IORing.pieceLimit { #expect(file.ring.append(piece)) }
    #expect(!file.ring.append(piece))
    #expect(file.ring.add(.read(0), of: file.descriptor.raw, token: 9) && !file.ring.append(piece))
    #expect(file.ring.submit() && file.ring.append(piece))
    file.ring.dropPieces()
    #expect(file.ended() == .init(token: 9, result: Int32(IORing.pieceLimit)))
  }

  @Test func whatEndsSignals() throws {
    let file = try File([1])
    let event = try EventFD()
    try file.ring.signal(event)
    #expect(!event.drain())
    #expect(file.ring.add(.flush, of: file.descriptor.raw, token: 1))
    #expect(file.ring.next() == nil && !event.drain())
    file.ring.submit()
    #expect(event.wait(milliseconds: 20000))
    #expect(file.ring.next() == .init(token: 1, result: 0))
  }

  @Test func endsWithTransfersUnderWay() throws {
    var ends: [Int32] = [-1, -1]
    #expect(pipe(&ends) == 0)
    defer { for end in ends { close(end) } }
    let piece = memory([0])
    defer { piece.deallocate() }
    do {
      let ring = try IORing(entries: 4)
      #expect(ring.append(piece) && ring.add(.read(0), of: ends[0], token: 1))
      ring.submit()
      #expect(ring.next() == nil)
    }
    #expect(piece[0] == 0)
  }
}
