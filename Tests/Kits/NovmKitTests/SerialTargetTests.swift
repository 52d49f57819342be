import KernelBundle
import Testing

@testable import NovmKit

struct SerialTargetTests {
  private func read(_ text: String) -> SerialTarget? { SerialTarget(Array(text.utf8), directory: Array("/here".utf8)) }

  @Test(arguments: [
    ("log", "/here/log"), ("/a b", "/a b"), ("unix:s", "unix:/here/s"), ("unix:/run/s", "unix:/run/s"),
    // What means something to novmm is a file's name here.
    ("-", "/here/-"), ("fd:3", "/here/fd:3"), ("./unix:x", "/here/./unix:x"),
  ])
  func pathsAreAbsolute(_ text: String, _ argument: String) throws {
    let target = try #require(read(text))
    #expect(target.argument == Array(argument.utf8))
    #expect(SerialTarget(target.argument, directory: []) == target)
  }

  @Test(arguments: ["", "unix:"])
  func emptyPathsAreNone(_ text: String) {
    #expect(read(text) == nil)
    var settings = MachineSettings()
    settings.com2 = text
    #expect(throws: NovmError.serial(text)) { try MachineRequest(settings, directory: []) }
  }

  @Test func isAnOptionOfNovmm() throws {
    var settings = MachineSettings()
    settings.com2 = "unix:s"
    settings = try settings.absolute(Array("/here".utf8))
    let request = try MachineRequest(settings, directory: Array("/elsewhere".utf8))
    let kernel = KernelFiles(name: "k", release: "1", image: "/k/vmlinux")
    let arguments = request.compose(kernel: kernel, scratch: "/w").arguments
    let place = try #require(arguments.firstIndex(of: Array("--com2".utf8)))
    #expect(arguments[place + 1] == Array("unix:/here/s".utf8))
  }
}
