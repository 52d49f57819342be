import Testing

@testable import NovmKit

struct DetachKeysTests {
  private func pass(_ pieces: [[UInt8]]) -> (passed: [UInt8], isComplete: Bool) {
    var keys = DetachKeys()
    let passed = pieces.flatMap { keys.pass($0) }
    return (passed, keys.isComplete)
  }

  @Test func theKeysAreTheCallers() {
    #expect(pass([[1, 0x10, 0x11, 2]]) == ([1], true))
    // Cut between the two, and begun anew.
    #expect(pass([[1, 0x10], [0x11], [3]]) == ([1], true))
    #expect(pass([[0x10, 0x10, 0x11]]) == ([0x10], true))
  }

  @Test func allElseIsTheCommands() {
    #expect(pass([[0x11, 0x10, 0x20], [0x10], [0x30]]) == ([0x11, 0x10, 0x20, 0x10, 0x30], false))
    // One that may be the first is held.
    #expect(pass([[5, 0x10]]) == ([5], false))
  }
}
