import ArgumentParser
import Changes
import Glibc
import Host
import NovmKit

struct DiffCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Show what a machine changed.",
    discussion: """
      A line for each path that was added (A), changed (C) or deleted (D), compared with the directories that the machine \
      reads. Times are not compared. What a running machine has not written back yet is not shown; nor are volumes and \
      shares, and what is only mounted in the guest, such as /tmp, and files that novm makes for it, such as /etc/hosts.

      Examples:
        novm diff web
        novm diff --content web /etc
      """)

  @Flag(help: "Show what changed in files of text, as diff -u does.")
  var content = false

  @Flag(help: "With --content, write what files have as it is, to a terminal too.")
  var raw = false

  @Flag(help: "Print JSON: a list of objects.")
  var json = false

  @Argument(help: "The machine's name or identifier.", completion: .machines)
  var machine: String

  @Argument(help: "Paths of the guest: these, and what is below them.")
  var paths: [String] = []

  func validate() throws {
    if raw, !content { throw ValidationError("--raw: it is about --content; give both or neither") }
    if json, content { throw ValidationError("--content: not with --json; give one of the two") }
    try GuestPath.validate(paths)
  }

  func run() throws {
    let machine = try ChangedMachine(try Machines.find(machine))
    let set = try machine.trees.changes(paths.map(ByteString.bytes))
    if let remark = MachineTrees.remark(on: set) { StandardError.write("novm: \(remark)\n") }
    if let remark = GuestPath.remark(paths, set) { StandardError.write("novm: \(ByteString.printable(remark))\n") }
    if json { return try JSONOutput.print(set.changes.map(ChangeReport.init)) }
    for change in set.changes {
      if content, try ContentDifference.print(change, of: set, isRaw: raw) { continue }
      print(change.line)
    }
  }
}

enum GuestPath {
  static func validate(_ paths: [String]) throws {
    for path in paths where !path.hasPrefix("/") {
      throw ValidationError("'\(path)': give an absolute path of the guest, such as /etc")
    }
  }

  /// What to tell where not one of the paths has changed: one of them may be mistyped.
  static func remark(_ paths: [String], _ set: ChangeSet) -> String? {
    paths.isEmpty || !set.changes.isEmpty ? nil : "\(paths.joined(separator: ", ")): nothing has changed there"
  }
}

/// What differs within a file, told by diff(1).
enum ContentDifference {
  /// - Returns: whether there was content to compare.
  static func print(_ change: Change, of set: ChangeSet, isRaw: Bool) throws -> Bool {
    let sides: (before: Int32?, after: Int32?)?
    do { sides = try set.contents(of: change) } catch { throw NovmError.changes(error) }
    guard let sides, change.kind != .changed || change.parts.contains(.content) else { return false }
    let descriptors = [sides.before, sides.after].compactMap(\.self)
    defer { for descriptor in descriptors { close(descriptor) } }
    let path = String(printable: change.path)
    var arguments = ["diff", "-u"]
    for (side, descriptor) in [("a", sides.before), ("b", sides.after)] {
      arguments += ["--label", descriptor == nil ? "/dev/null" : side + path]
    }
    arguments += ["--"] + [sides.before, sides.after].map { $0.map { "/dev/fd/\($0)" } ?? "/dev/null" }
    // In the order of what was printed so far.
    fflush(nil)
    let output = ForeignOutput(STDOUT_FILENO, isRaw: isRaw)
    let child: pid_t
    do {
      let pipe = output.isFiltered ? try Pipe().split() : nil
      child = try Spawn.start(
        "/usr/bin/env", arguments.map { Array($0.utf8) }, output: pipe?.writer ?? STDOUT_FILENO, errors: STDERR_FILENO,
        inherited: descriptors)
      if let pipe {
        close(pipe.writer)
        try pass(FileDescriptor(owning: pipe.reader), to: output)
      }
    } catch let error as Errno {
      throw NovmError.system(doing: "run", path: "/usr/bin/env", error)
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    // 0 and 1 are diff's for the same and not the same.
    guard status & 0x7f == 0, (0...1).contains(status >> 8 & 0xff) else {
      throw CommandFailure("diff(1) failed; install it: apt-get install diffutils")
    }
    return true
  }

  private static func pass(_ pipe: consuming FileDescriptor, to output: ForeignOutput) throws {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = try pipe.read(into: &buffer)
      if count == 0 { return try output.finish() }
      try output.write(Array(buffer[..<count]))
    }
  }
}
