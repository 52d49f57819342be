import Testing

@testable import Novm

/// What a command of the library's wrote.
struct CollectedOutputTests {
  private func bytes(_ text: String) -> ArraySlice<UInt8> { Array(text.utf8)[...] }

  @Test func isTakenInPieces() {
    let output = CollectedOutput(limit: 8)
    output.write(bytes("abcdef"))
    #expect(output.take(2) == Array("ab".utf8))
    #expect(output.contents == Array("cdef".utf8))
    // What was taken makes room.
    output.write(bytes("ghij"))
    #expect(!output.isTruncated)
    #expect(output.take(3) == Array("cde".utf8))
    #expect(output.take(0).isEmpty && output.take(-1).isEmpty)
    #expect(output.take(.max) == Array("fghij".utf8))
    #expect(output.take(.max).isEmpty && output.contents.isEmpty)
  }

  @Test func endsWhereItIsCut() {
    let output = CollectedOutput(limit: 4)
    output.write(bytes("abcdef"))
    #expect(output.isTruncated)
    #expect(output.take(2) == Array("ab".utf8))
    output.write(bytes("gh"))
    #expect(output.isTruncated)
    #expect(output.take(9) == Array("cd".utf8))
  }

  /// Of what nobody wants nothing is missed.
  @Test func whatIsNotWantedIsNotCut() {
    for (limit, isCut) in [(nil, false), (0, true)] as [(Int?, Bool)] {
      let output = CollectedOutput(limit: limit)
      output.write([])
      #expect(!output.isTruncated)
      output.write(bytes("a"))
      #expect(output.isTruncated == isCut && output.contents.isEmpty)
    }
  }

  /// A byte is not moved for each that is taken before it: this took minutes.
  @Test(.timeLimit(.minutes(5))) func muchIsTakenInSmallPieces() {
    let output = CollectedOutput(limit: 32 << 20)
    output.write([UInt8](repeating: 1, count: 32 << 20)[...])
    var count = 0
    while case let taken = output.take(512), !taken.isEmpty { count += taken.count }
    #expect(count == 32 << 20)
  }
}
