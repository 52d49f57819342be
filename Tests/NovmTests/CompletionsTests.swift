import Foundation
import Testing

/// What the shells' completion scripts ask novm for.
struct CompletionsTests {
  private let novm: NovmProgram

  init() throws { novm = try NovmProgram() }

  @Test func commandsByNameAndByPath() throws {
    let program = try novm.write("programs/a-program", "#!/bin/sh\n")
    #expect(chmod(program, 0o755) == 0)
    try novm.write("programs/a-file", "")
    let path = novm.directory + "/programs/a-"
    let byPath = try novm.run("---completion", "run", "--", "positional@0", "2", "\(path.count)", "novm", "run", path)
    #expect(byPath.status == 0)
    #expect(byPath.output.split(separator: "\n") == ["\(path)program"])
    let byName = try novm.run("---completion", "run", "--", "positional@0", "2", "5", "novm", "run", "sha25")
    #expect(byName.output.split(separator: "\n") == ["sha256sum"])
  }

  @Test func noKernels() throws {
    let result = try novm.run("---completion", "run", "--", "--kernel", "3", "0", "novm", "run", "--kernel", "")
    #expect((result.status, result.output) == (0, ""))
  }
}
