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

  @Test func kernelsByName() throws {
    func names() throws -> [Substring] {
      let result = try novm.run("---completion", "run", "--", "--kernel", "3", "0", "novm", "run", "--kernel", "")
      #expect((result.status, result.errors) == (0, ""))
      return result.output.split(separator: "\n")
    }
    #expect(try names() == [])
    for name in ["one", "two"] {
      for file in ["vmlinux", "initramfs"] { try novm.write("store/kernels/\(name)/\(file)", "") }
      try novm.write(
        "store/kernels/\(name)/bundle.json",
        """
        {"format": 1, "release": "6.1.0-\(name)", "entries": {"linux64": "0x1000000"}, "modules": [], "size": 1,
         "origin": {"kind": "image", "name": "/boot/vmlinuz"}, "imported": "2026-11-21T11:25:18Z",
         "support": {"acpi": true, "commandLineDevices": false, "console": "module", "entropy": "module",
          "evidence": "modules", "fileSystem": "module", "mmio": "module", "panic": "module", "vsock": "module"}}
        """)
    }
    // One that cannot be read is not offered.
    try novm.write("store/kernels/broken/bundle.json", "{}")
    #expect(try names().sorted() == ["one", "two"])
  }
}
