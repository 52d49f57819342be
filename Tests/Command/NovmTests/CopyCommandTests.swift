import Foundation
import Testing

/// What `novm cp`, `top` and `stats` refuse before a guest is asked.
struct CopyCommandTests {
  private let novm: NovmProgram

  init() throws { novm = try NovmProgram() }

  @Test(arguments: [
    (["a", "b"], "one of the two must be of a machine: MACHINE:PATH"),
    (["a:/x", "b:/y"], "novm cp a:/x - | novm cp - MACHINE:PATH"),
    (["-", "b"], "one of the two must be of a machine"),
    (["./a:b", "c"], "one of the two must be of a machine"),
    (["/a:b", "c"], "one of the two must be of a machine"),
    (["a/b:c", "d"], "one of the two must be of a machine"),
    (["a:/x", "b"], "no machine 'a'"),
    (["b", "a:/x"], "no machine 'a'"),
    (["..", "a:/x"], "cannot copy: Invalid argument"),
    (["a:/x"], "missing expected argument '<destination>'"),
  ])
  func whatMakesNoSenseIsNamed(arguments: [String], text: String) throws {
    let result = try novm.run(["cp"] + arguments)
    #expect(result.status == 125, "\(arguments)")
    #expect(result.output == "")
    #expect(result.errors.contains(text), "\(arguments): \(result.errors)")
    #expect(result.errors.split(separator: "\n").count == 1)
  }

  @Test(arguments: [["top", "box"], ["stats", "box"], ["cp", "box:/etc", "x"], ["exec", "box", "--", "true"]])
  func machinesThatDoNotRun(arguments: [String]) throws {
    for empty in ["lock", "keep"] { try novm.write("store/machines/aaaaaaaaaaaa/\(empty)", "") }
    try novm.write("store/machines/aaaaaaaaaaaa/name", "box")
    let result = try novm.run(arguments)
    #expect(result.status == 125)
    #expect(result.errors == "novm: box does not run; `novm start box` starts it\n")
  }

  @Test func statsOfNothing() throws {
    let titles = "NAME  STATUS  CPU  HOST  MEMORY  FILES  THREADS  WRITTEN  NODES  STREAMS\n"
    #expect(try novm.run("stats", "--no-stream").output == titles)
    #expect(try novm.run("stats", "--json").output.filter { !$0.isWhitespace } == "[]")
    #expect(try novm.run("exec", "-d", "-t", "box", "--", "true").errors.contains("--terminal: nobody is at it"))
  }
}
