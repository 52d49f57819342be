import Testing

@testable import Packs

struct PathPatternsTests {
  private func verdict(
    _ path: String, include: [String] = [], exclude: [String] = [], isIncluded: Bool = false
  ) throws -> PathPatterns.Verdict {
    let patterns = try PathPatterns(include: include.map { Array($0.utf8) }, exclude: exclude.map { Array($0.utf8) })
    return patterns.verdict(Array(path.utf8), isIncluded: isIncluded)
  }

  @Test func names() throws {
    #expect(try verdict("a/b.o") == .taken)
    #expect(try verdict("a/b.o", exclude: ["*.o"]) == .left)
    #expect(try verdict("a/b.o/c", exclude: ["*.o"]) == .taken)
    #expect(try verdict("a/b.c", include: ["*.o"]) == .maybe)
    #expect(try verdict("a/b.c", include: ["b.?"]) == .taken)
    #expect(try verdict("a/b.c", include: ["[a-c].[!d]"]) == .taken)
    #expect(try verdict("a/b.d", include: ["[a-c].[!d]"]) == .maybe)
    #expect(try verdict("a/*", include: ["\\*"]) == .taken)
    #expect(try verdict("a/b", include: ["\\*"]) == .maybe)
  }

  @Test func paths() throws {
    #expect(try verdict("usr/share/doc", exclude: ["/usr/share/doc/"]) == .left)
    #expect(try verdict("x/usr/share/doc", exclude: ["usr/share/doc"]) == .taken)
    #expect(try verdict("usr/a/b", include: ["usr/*"]) == .maybe)
    #expect(try verdict("usr/a/b", include: ["usr/**"]) == .taken)
    #expect(try verdict("usr/a/b", include: ["/usr/*/b"]) == .taken)
    #expect(try verdict("usr/a/b", include: ["/bin"], isIncluded: true) == .taken)
    #expect(try verdict("usr/a/b", include: ["usr"], exclude: ["b"], isIncluded: true) == .left)
  }

  @Test func whatIsNoPattern() {
    for pattern in ["", "/", "//", "[", "[]", "[b-a]", "a["] {
      #expect(throws: PackError.pattern(pattern)) { try PathPatterns(include: [Array(pattern.utf8)]) }
    }
  }

  /// A pattern that would keep a naive matcher busy for ever.
  @Test func patternsTakeNoTime() throws {
    let pattern = String(repeating: "*a", count: 100) + "b"
    #expect(try verdict(String(repeating: "a", count: 200), include: [pattern]) == .maybe)
  }
}
