import Foundation
import Host
import Testing

@testable import Packs

struct ArchiveExportTests {
  private let scratch: PackScratch

  init() throws {
    scratch = try PackScratch()
    try scratch.shell(
      """
      mkdir -p source/{bin,d} source/$'\\xc3\\xa9'; cd source
      head -c 600000 /dev/urandom >bin/large; echo hello >bin/hello; chmod 4755 bin/hello; ln bin/hello bin/hi
      ln -s ../$'\\xff' d/link; mkfifo d/pipe; mknod d/gone c 0 0; echo x >$'od\\xffd name'; chmod 0 d
      touch $(printf 'n%.0s' {1..255})
      """)
  }

  private func export(_ pack: Pack, _ form: ArchiveExport.Form, _ compression: ArchiveExport.Compression) throws
    -> ArchiveExport.Result
  {
    let file = try FileDescriptor.open("\(scratch.path)/out", O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
    return try ArchiveExport(form: form, compression: compression)
      .write(pack, try scratch.store.manifest(of: pack), to: file.raw, path: Array("out".utf8))
  }

  private func digest(of file: String) throws -> Digest {
    Digest.of([UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(scratch.path)/\(file)"))))
  }

  @Test(arguments: ArchiveExport.Form.allCases, ArchiveExport.Compression.allCases)
  func whatGoesOutComesBack(form: ArchiveExport.Form, compression: ArchiveExport.Compression) throws {
    let pack = try scratch.create("one")
    let result = try export(pack, form, compression)
    #expect(try digest(of: "out") == result.digest)
    #expect(try export(pack, form, compression) == result)
    let tool = ["none": "cat", "gzip": "gzip -d", "zstd": "zstd -dq"][compression.rawValue]!
    try scratch.shell("\(tool) <out >plain")
    #expect(try digest(of: "plain") == result.diffID)
    let names = try FileDescriptor.open("\(scratch.path)/out", O_RDONLY)
    let number = names.raw
    let back = try scratch.store.create("back", origin: "") { (builder) throws(PackError) in
      try ArchiveSource(Array("out".utf8), patterns: try PathPatterns()).read(number, into: builder)
    }
    _ = names.raw
    #expect(back.digest == pack.digest)
    try scratch.shell("tar tf plain 2>/dev/null | grep -qx '\(form == .layer ? "d/.wh.gone" : "d/gone")'")
    // Every tool gives the file what the header of its last name says.
    try scratch.shell("tar tvf plain 2>/dev/null | grep -q '^hrwsr-xr-x.* bin/hi link to bin/hello'")
  }

  @Test func whatCannotBeWritten() throws {
    try scratch.shell("touch source/.wh.x")
    let pack = try scratch.create("one")
    do {
      _ = try export(pack, .tar, .none)
      Issue.record("written")
    } catch let error as PackError {
      guard case .unrepresentable(Array(".wh.x".utf8), _) = error else { throw error }
    }
    let damaged = try scratch.create("two", exclude: [".wh.*"])
    try scratch.shell("cd packs/packs/\(damaged.digest.hexadecimal)/tree; echo xxxxx >bin/hello")
    #expect(throws: PackError.damagedPack("two", "bin/hello is not what it was")) {
      _ = try export(damaged, .tar, .none)
    }
    let full = try FileDescriptor.open("/dev/full", O_WRONLY)
    let good = try scratch.create("three", exclude: [".wh.*", "hello", "hi"])
    let number = full.raw
    #expect(throws: PackError.system(operation: .write, path: [], .noSpace)) {
      _ = try ArchiveExport(form: .tar, compression: .none)
        .write(good, try scratch.store.manifest(of: good), to: number, path: [])
    }
    _ = full.raw
  }
}
