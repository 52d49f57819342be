import Images
import Testing

struct ImageReferenceTests {
  @Test(arguments: [
    ("debian", "docker.io/library/debian:latest", "debian:latest"),
    ("debian:12", "docker.io/library/debian:12", "debian:12"),
    ("user/app", "docker.io/user/app:latest", "user/app:latest"),
    ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
    ("docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest"),
    ("docker.io/localhost/c", "docker.io/localhost/c:latest", "docker.io/localhost/c:latest"),
    ("localhost/a/b:1", "localhost/a/b:1", "localhost/a/b:1"),
    ("host:5000/a/b:x_Y.z-1", "host:5000/a/b:x_Y.z-1", "host:5000/a/b:x_Y.z-1"),
    ("example.org/a__b/c---d", "example.org/a__b/c---d:latest", "example.org/a__b/c---d:latest"),
  ])
  func names(text: String, full: String, familiar: String) throws {
    let reference = try #require(ImageReference(text))
    #expect(reference.description == full)
    #expect(reference.familiar == familiar)
    #expect(ImageReference(full) == reference)
    #expect(ImageReference(familiar) == reference)
  }

  @Test func digests() throws {
    let digest = "sha256:" + String(repeating: "0a", count: 32)
    let alone = try #require(ImageReference("debian@\(digest)"))
    #expect(alone.tag == nil && alone.digest?.description == digest)
    let both = try #require(ImageReference("host:5000/a:1@\(digest)"))
    #expect(both.tag == "1" && both.description == "host:5000/a:1@\(digest)")
  }

  @Test(arguments: [
    "", ":", "a:", "/a", "a/", "a//b", "A", "a/B", "host:x/a", "-a.b/c", "a..b", "a___b", "a_", "a b",
    "..", "../a",
    "a@sha256:12", "a@md5:00000000000000000000000000000000", "a:.x", "a:\n", "a\0", "host:99999/a", "a.b./c",
    "é", String(repeating: "a", count: 256), String(repeating: "a", count: 240),
  ])
  func refusals(text: String) { #expect(ImageReference(text) == nil) }
}
