import Testing

struct ShrinkingTests {
  @Test func whatDoesNotMatterIsLeftOut() {
    var tries = 0
    let short = shrink(Array(0..<400)) { steps in
      tries += 1
      return steps.contains(17) && steps.contains(303)
    }
    #expect(short == [17, 303])
    #expect(tries < 200)
  }

  @Test func whatMattersStays() {
    #expect(shrink([3]) { $0 == [3] } == [3])
    #expect(shrink([1, 2, 3]) { $0.count == 3 } == [1, 2, 3])
    #expect(shrink([Int]()) { _ in true } == [])
  }
}
