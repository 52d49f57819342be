import Foundation
import Glibc
import HostTesting
import Testing

/// What reads a stranger's archive has given up all that it has no use for before its first byte.
struct DecoderConfinementTests {
  @Test(
    .needs(ofHost: "seccomp", access("/proc/sys/kernel/seccomp/actions_avail", F_OK) == 0),
    arguments: [["load"], ["import", "-", "a:1"], ["pack", "import", "-", "a"]], [false, true])
  func isConfined(_ words: [String], asRoot: Bool) throws {
    if asRoot { try Need.toGoOn("root", Need.isRoot) }
    let novm = try NovmProgram()
    try #require(chmod(novm.directory, 0o777) == 0)
    // From here an ordinary user's program is seen as well, which others of its user do not see.
    let nobody = Need.isRoot && !asRoot ? ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"] : []
    let input = Pipe()
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = nobody + [try BuiltProgram.url("novm").path] + words
    process.environment = novm.environment
    process.standardInput = input
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    defer { process.waitUntilExit() }
    defer { try? input.fileHandleForWriting.close() }
    let proc = "/proc/\(process.processIdentifier)"
    var fields: [String: String] = [:]
    for _ in 0..<20_000 where fields["Seccomp"] != "2" {
      usleep(1000)
      fields = [:]
      for line in try String(contentsOfFile: "\(proc)/status", encoding: .utf8).split(separator: "\n") {
        let parts = line.split(separator: ":", maxSplits: 1)
        if parts.count == 2 { fields[String(parts[0])] = parts[1].trimmingCharacters(in: .whitespaces) }
      }
    }
    #expect(fields["Seccomp"] == "2" && fields["NoNewPrivs"] == "1")
    let capabilities = try #require(UInt64(fields["CapEff"] ?? "", radix: 16))
    // CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_MKNOD, CAP_NET_ADMIN.
    #expect(capabilities & (1 << 21 | 1 << 19 | 1 << 27 | 1 << 12) == 0 && (capabilities != 0) == asRoot)
    guard Need.isRoot else { return }
    // No file of the host's is left to change by its path, where namespaces of mounts can be made.
    let unshare = ["unshare"] + (asRoot ? [] : ["--user"]) + ["--mount", "true"]
    guard try Tool.run("env", nobody + unshare).status == 0 else { return }
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(proc)/root/") == ["proc"])
  }
}
