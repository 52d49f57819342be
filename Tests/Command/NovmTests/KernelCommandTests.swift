import Foundation
import Testing

struct KernelCommandTests {
  private let novm: NovmProgram

  init() throws { novm = try NovmProgram() }

  @Test func whatIsNoKernel() throws {
    let text = try novm.write("text", "hello\n")
    expectFailure(try novm.run("kernel", "import", text), naming: text, "not a Linux kernel")
    expectFailure(
      try novm.run("kernel", "import", "/nowhere/vmlinuz"), naming: "/nowhere/vmlinuz", "No such file", "/boot/vmlinuz-"
    )
    expectFailure(
      try novm.run("kernel", "import", "--deb", text + ".deb"), naming: text + ".deb", "No such file", "linux-image")
    expectFailure(try novm.run("kernel", "import", novm.directory), naming: novm.directory, "no kernel was built here")
    // Nobody writes to it.
    let fifo = "\(novm.directory)/fifo.deb"
    try #require(mkfifo(fifo, 0o600) == 0)
    expectFailure(try novm.run("kernel", "import", "--deb", fifo), naming: fifo, "package")
  }

  @Test func usage() throws {
    expectFailure(try novm.run("kernel", "import", "image", "--deb", "name"), naming: "--deb")
    expectFailure(try novm.run("kernel", "import", "--modules", "/lib/modules/x"), naming: "--modules")
    expectFailure(try novm.run("kernel", "import", "--deb", "one", "--deb", "two"), naming: "--deb")
    expectFailure(try novm.run("kernel", "import", "--frob"), naming: "--frob")
    expectFailure(try novm.run("kernel", "frob"), naming: "frob")
    expectFailure(try novm.run("kernel", "rm"), naming: "name")
    expectFailure(try novm.run("kernel", "import", "x", "--name", "../x"), naming: "../x")
  }

  @Test func archives() throws {
    let file = try novm.write("some/file", "hello\n")
    let tar = Process()
    tar.executableURL = URL(fileURLWithPath: "/bin/tar")
    tar.arguments = ["cf", "\(novm.directory)/some.tar", "-C", "\(novm.directory)/some", "file"]
    try tar.run()
    tar.waitUntilExit()
    let archive = "\(novm.directory)/some.tar"
    expectFailure(try novm.run("kernel", "import", archive), naming: archive, "file: no part of a kernel bundle")
    expectFailure(try novm.run("getkernel", archive, "--modules", "/lib"), naming: "--modules")
    expectFailure(try novm.run("kernel", "import", archive, "--digest", "abc"), naming: "--digest")
    expectFailure(try novm.run("kernel", "import", "--digest", String(repeating: "0", count: 64)), naming: "--digest")
    expectFailure(
      try novm.run("kernel", "import", file, "--digest", String(repeating: "0", count: 64)), naming: file, "--digest")
    expectFailure(try novm.run("kernel", "import", "http://127.0.0.1:1/x.tar"), naming: "--digest")
    expectFailure(try novm.run("kernel", "export", "nothing", archive), naming: "nothing", "novm kernel list")
  }

  @Test func withoutNoguest() throws {
    try FileManager.default.removeItem(atPath: "\(novm.directory)/libexec/noguest")
    expectFailure(try novm.run("kernel", "import"), naming: "noguest", "NOVM_LIBEXEC")
  }

  @Test func emptyStore() throws {
    let list = try novm.run("kernel", "list")
    #expect(list.status == 0)
    #expect(list.output == "NAME  RELEASE  IMPORTED  SIZE  FROM\n")
    let json = try novm.run("kernel", "ls", "--json")
    #expect(json.status == 0)
    #expect(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String] == [])
    expectFailure(try novm.run("kernel", "inspect"), naming: "novm kernel import", "\(novm.directory)/store/kernels")
    expectFailure(try novm.run("kernel", "inspect", "x"), naming: "x", "novm kernel list")
    expectFailure(try novm.run("kernel", "rm", "x"), naming: "x", "novm kernel list")
    #expect(!FileManager.default.fileExists(atPath: "\(novm.directory)/store"))
  }

  @Test func damagedBundleIsToldAndCanBeRemoved() throws {
    try novm.write("store/kernels/broken/bundle.json", "{}")
    let list = try novm.run("kernel", "list")
    #expect(list.status == 0)
    #expect(list.errors.contains("broken/bundle.json"))
    #expect(try novm.run("kernel", "rm", "broken").status == 0)
    #expect(!FileManager.default.fileExists(atPath: "\(novm.directory)/store/kernels/broken"))
  }

  @Test(arguments: ["import", "export", "list", "inspect", "rm"]) func helpHasAnExample(_ command: String) throws {
    let help = try novm.run("kernel", command, "--help")
    #expect(help.status == 0)
    #expect(help.output.contains("Example"))
    #expect(help.output.contains("novm kernel \(command)"))
  }
}
