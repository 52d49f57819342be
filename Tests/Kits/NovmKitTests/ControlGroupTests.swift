import Foundation
import HostTesting
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

  @Test func aLimitThatLimitsNothingIsNone() throws {
    let directory = try TemporaryDirectory()
    #expect(throws: ControlGroupFault.controller("io")) { try ControlGroup.limit(5, of: [], in: directory.path) }
    #expect(throws: ControlGroupFault.controller("io")) { try ControlGroup.limit(5, of: ["8:0"], in: directory.path) }
    let file = "\(directory.path)/io.max"
    try "".write(toFile: file, atomically: false, encoding: .utf8)
    #expect(throws: ControlGroupFault.noDisk) { try ControlGroup.limit(5, of: [], in: directory.path) }
    try ControlGroup.limit(5, of: ["8:0"], in: directory.path)
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "8:0 rbps=5 wbps=5")
  }
}
