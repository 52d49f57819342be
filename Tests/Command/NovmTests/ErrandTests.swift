import Host
import HostTesting
import Images
import Registry
import Testing

@testable import Novm
@testable import NovmKit

/// What `novm` does for programs that have loaded the library, and what it tells them.
struct ErrandTests {
  @Test func reportsAreOneLineEach() throws {
    let reports: [Errand.Report] = [
      .progress("layer 1 of 2"), .done("sha256:00"),
      .failed(Failure(.refused, "no: why", about: "registry", number: 5, exitStatus: 125)),
      .failed(Failure(.missing, "", about: "")),
    ]
    for report in reports {
      let line = report.line
      #expect(line.last == 10 && Errand.Report(line.dropLast()) == report)
    }
    // What servers and archives say stays in its place.
    let hostile = Errand.Report.failed(Failure(.damaged, "a\tb\nprogress\tc", about: "x\ty\n"))
    #expect(hostile.line.count { $0 == 10 } == 1)
    guard case .failed(let failure)? = Errand.Report(hostile.line.dropLast()) else {
      Issue.record("\(hostile.line)")
      return
    }
    #expect(failure.code == .damaged && failure.message.contains("progress"))
  }

  @Test(arguments: [
    "", "done", "done\ta\tb", "failed\tx\t0\t0\t\t", "failed\t99\t0\t0\t\t", "failed\t1\t0\t0\t", "other\tx",
  ])
  func whatIsNoReport(_ line: String) { #expect(Errand.Report(Array(line.utf8)) == nil) }

  @Test func wordsAreNoOptions() throws {
    #expect(Errand(["pull-image", "=--help", "="]) == Errand(.pullImage, [Array("--help".utf8), []]))
    for wrong in [[], ["nosuch"], ["pull-image", "name"]] { #expect(Errand(wrong) == nil) }
  }

  @Test func failuresAreTold() throws {
    let novm = try NovmProgram()
    try novm.writeProgram("libexec/nofetch", "#!/bin/sh\n")
    let result = try novm.run(["errand", "1", "pull-image", "=Not a name"])
    #expect(result.status == 125)
    guard case .failed(let failure)? = Errand.Report(Array(result.output.utf8).dropLast()) else {
      Issue.record("\(result)")
      return
    }
    #expect(failure.code == .argument && failure.message.contains("no image's name"))
  }

  /// What reads it is confined, which leaves the reason as it was.
  @Test func whyNoPackIsMade() throws {
    let (novm, other) = (try NovmProgram(), try NovmProgram())
    let path = try novm.write("broken.tar", String(repeating: "no archive", count: 1000))
    func code(by novm: NovmProgram, _ words: String...) throws -> Failure.Code? {
      let result = try novm.run(["errand", "1", "import-pack"] + words.map { "=\($0)" })
      #expect(result.status == 125)
      let lines = result.output.utf8.split(separator: 10)
      guard case .failed(let failure)? = lines.last.flatMap({ Errand.Report($0) }) else { return nil }
      #expect(!failure.message.contains("/proc/") && !failure.subject.contains("/proc/"), "\(failure)")
      return failure.code
    }
    #expect(try code(by: novm, path, "a", "", "") == .argument)
    #expect(try code(by: novm, path, "a", "sha256:" + String(repeating: "0", count: 64), "") == .argument)
    #expect(try code(by: novm, "/no/such.tar", "a", "", "") == .missing)
    // The store is none.
    try other.write("store/packs", "")
    #expect(try code(by: other, path, "a", "", "") == .system)
  }

  @Test func whoseFaultItIs() {
    func code(_ error: any Error) -> Failure.Code { Failure(any: error).code }
    #expect(code(RegistryError.layer("sha256:0", "is no archive")) == .refused)
    #expect(code(ImageError.change("VOLUME")) == .argument)
  }
}
