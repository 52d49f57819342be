import Foundation
import Testing

@testable import NovmKit

struct ControlGroupTests {
  @Test func whatIsNoneIsLeftAlone() throws {
    let directory = try TemporaryDirectory()
    let request = try #require(ControlGroupRequest(directory.path))
    let limits = ControlGroup.Limits(memory: 1 << 30, processors: 1, processes: 100)
    #expect(throws: NovmError.cgroup(directory.path, .notAGroup)) {
      _ = try ControlGroup(request, limits, name: "0123456789ab")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
  }
}
