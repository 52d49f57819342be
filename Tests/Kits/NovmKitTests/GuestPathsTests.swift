import Foundation
import HostTesting
import Testing

@testable import NovmKit

struct GuestPathsTests {
  let scratch: TemporaryDirectory

  init() throws {
    scratch = try TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: scratch.path + "/root/usr/lib/modules", withIntermediateDirectories: true)
    for (link, target) in [
      ("lib", "usr/lib"), ("absolute", "/usr/lib"), ("loop", "loop"), ("up", "../../usr"), ("usr/lib/back", "../.."),
    ] { #expect(symlink(target, "\(scratch.path)/root/\(link)") == 0) }
  }

  private func resolve(_ path: String, _ more: TreeMap...) -> String {
    let layers = [TreeMap(guest: "/", host: scratch.path + "/root")] + more
    return String(decoding: GuestPaths(layers: layers).resolve(Array(path.utf8)), as: UTF8.self)
  }

  @Test(arguments: [
    ("/", "/"),
    ("/usr/lib/x", "/usr/lib/x"),
    ("/lib/modules/6.1", "/usr/lib/modules/6.1"),
    ("/absolute/modules", "/usr/lib/modules"),
    ("/up/lib", "/usr/lib"),
    ("/lib/back/lib/modules", "/usr/lib/modules"),
    ("/loop/x", "/loop/x"),
    ("/none/such", "/none/such"),
  ])
  func follows(_ path: String, to expected: String) {
    #expect(resolve(path) == expected)
  }

  /// The topmost layer that has a name decides what it is.
  @Test func aLaterLayerHidesALink() throws {
    let upper = scratch.path + "/upper"
    try FileManager.default.createDirectory(atPath: upper + "/lib", withIntermediateDirectories: true)
    #expect(resolve("/lib/modules", TreeMap(guest: "/", host: upper)) == "/lib/modules")
  }

  @Test func aMapsOwnPathIsADirectory() {
    #expect(resolve("/lib/modules", TreeMap(guest: "/lib", host: "/nowhere")) == "/lib/modules")
    #expect(resolve("/lib/modules", TreeMap(guest: "/lib/deeper", host: "/nowhere")) == "/lib/modules")
  }
}
