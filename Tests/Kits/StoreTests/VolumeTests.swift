import Foundation
import HostTesting
import Testing

@testable import Store

struct VolumeTests {
  let scratch: TemporaryDirectory

  init() throws { scratch = try TemporaryDirectory() }

  @Test func keepsWhatIsInItForTheNext() throws {
    let volumes = scratch.path + "/volumes"
    do {
      let volume = try Volume("v", in: volumes)
      try Data("x".utf8).write(to: URL(fileURLWithPath: volume.tree + "/file"))
    }
    let again = try Volume("v", in: volumes)
    #expect(FileManager.default.fileExists(atPath: again.tree + "/file"))
  }

  @Test func isForOneAtATime() throws {
    let first = try Volume("v", in: scratch.path)
    #expect(throws: StoreError.volumeInUse("v")) { try Volume("v", in: scratch.path) }
    let other = try Volume("w", in: scratch.path)
    #expect(other.tree != first.tree)
  }
}
