import Foundation
import Host
import HostTesting
import Packs
import Testing

@testable import KernelBundle

struct BundleArchiveTests {
  private let directory: TemporaryDirectory
  private let store: KernelStore
  private let other: KernelStore
  private let noguest: String

  init() throws {
    directory = try TemporaryDirectory()
    store = KernelStore(directory: "\(directory.path)/kernels")
    other = KernelStore(directory: "\(directory.path)/others")
    noguest = try directory.write("noguest", "first noguest")
  }

  private func bundle() throws -> KernelBundle {
    let kernel = Synthetic.kernel()
    let image = try directory.write(
      "vmlinuz",
      Synthetic.bzImage(payload: try Compression.xz.compress(kernel), size: kernel.count, appendSize: true))
    let modules = try Synthetic.moduleTree(in: directory)
    #expect(symlink("/usr/src/linux", "\(modules)/build") == 0)
    return try store.import(.image(path: image, modules: modules), noguest: noguest)
  }

  @discardableResult
  private func export(
    _ bundle: KernelBundle, to name: String = "kernel.tar", _ compression: ArchiveExport.Compression = .none
  ) throws -> BundleExport.Result {
    let file = try FileDescriptor.create(Path("\(directory.path)/\(name)"))
    let result = try BundleExport.write(bundle, to: file.raw, path: Array(name.utf8), compression: compression)
    _ = file.raw
    return result
  }

  private func take(_ file: String = "kernel.tar", digest: Digest? = nil, name: String? = nil) throws -> KernelBundle {
    let archive = try FileDescriptor.open("\(directory.path)/\(file)", O_RDONLY)
    let bundle = try other.import(archive: archive.raw, origin: file, digest: digest, name: name, noguest: noguest)
    _ = archive.raw
    return bundle
  }

  /// What taking a file throws; nothing may be left of it.
  private func refusal(_ file: String = "hostile.tar", digest: Digest? = nil) throws -> KernelBundleError? {
    defer { #expect((try? directory.names("others")) == [".lock"], "\(file)") }
    do { _ = try take(file, digest: digest) } catch let error as KernelBundleError { return error }
    return nil
  }

  private func python(_ script: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", script]
    process.currentDirectoryURL = URL(fileURLWithPath: directory.path)
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(script)")
  }

  @Test(arguments: ArchiveExport.Compression.allCases)
  func aBundleGoesToAnotherStore(_ compression: ArchiveExport.Compression) throws {
    let bundle = try bundle()
    let result = try export(bundle, compression)
    #expect(result.digest == Digest.of(try directory.read("kernel.tar")))
    #expect(result.size == UInt64(try directory.read("kernel.tar").count))
    #expect(try export(bundle, to: "again.tar", compression) == result)
    // There it gets the noguest of there.
    try directory.write("noguest", "another noguest")
    let taken = try take(digest: result.digest)
    #expect(taken.name == bundle.name && taken.directory == "\(other.directory)/\(bundle.name)")
    #expect(taken.description.origin == .init(kind: .archive, name: "kernel.tar"))
    var description = taken.description
    description.origin = bundle.description.origin
    description.imported = bundle.description.imported
    description.size = bundle.description.size
    #expect(description == bundle.description)
    for name in ["vmlinux", "setup", "modules/kernel/fs/fuse/fuse.ko", "modules/modules.dep.bin"] {
      #expect(try directory.read("others/\(taken.name)/\(name)") == directory.read("kernels/\(bundle.name)/\(name)"))
    }
    #expect(try !directory.names("others/\(taken.name)/modules").contains("build"))
    let initramfs = try directory.read("others/\(taken.name)/initramfs")
    #expect(initramfs.firstOffset(of: Array("another noguest".utf8)) != nil)
    #expect(try !taken.refreshInitramfs(noguest: noguest))
    #expect(try take(name: "mine").name == "mine")
    #expect(try other.list().bundles.count == 2)
    // One of the same name is replaced.
    #expect(try take().name == bundle.name)
    #expect(try directory.names("others") == [".lock", bundle.name, "mine"].sorted())
  }

  @Test func whatIsNotWhatItShouldBe() throws {
    try export(try bundle())
    let bytes = try directory.read("kernel.tar")
    let wrong = Digest.of([])
    #expect(
      try refusal("kernel.tar", digest: wrong)
        == .archive(.digest(path: Array("kernel.tar".utf8), expected: wrong, actual: Digest.of(bytes))))
    try directory.write("short.tar", Array(bytes.prefix(bytes.count / 2)))
    guard case .archive(.archive)? = try refusal("short.tar") else { throw Unexpected() }
    try directory.write("none.tar", "nonsense")
    guard case .archive(.archive)? = try refusal("none.tar") else { throw Unexpected() }
    try directory.write("empty.tar", [UInt8](repeating: 0, count: 10240))
    #expect(try refusal("empty.tar") == .badArchiveDescription(archive: Array("empty.tar".utf8)))
  }

  private struct Unexpected: Error {}

  /// Adds entries to a good archive, or changes its own.
  private func hostile(_ script: String) throws {
    try python(
      """
      import io, json, tarfile
      DIR, SYM, LNK, CHR, FIFO = b'5', b'2', b'1', b'3', b'6'
      entries = {}
      with tarfile.open('kernel.tar') as tar:
          for info in tar:
              entries[info.name] = (info, tar.extractfile(info).read() if info.isfile() else b'')
      def add(name, data=b'', type=b'0', **fields):
          info = tarfile.TarInfo(name)
          info.type, info.size = type, len(data)
          for field, value in fields.items(): setattr(info, field, value)
          entries[name] = (info, data)
      def describe(**fields):
          description = json.loads(entries['bundle.json'][1])
          description.update(fields)
          add('bundle.json', json.dumps(description).encode())
      \(script)
      with tarfile.open('hostile.tar', 'w') as tar:
          for info, data in entries.values(): tar.addfile(info, io.BytesIO(data))
      """)
  }

  @Test func whatLeadsOutIsRefused() throws {
    try export(try bundle())
    func expectRefusal(_ entry: String, _ path: String, _ fault: EntryFault?) throws {
      try hostile("add(\(entry))")
      let (archive, path) = (Array("hostile.tar".utf8), Array(path.utf8))
      let expected: KernelBundleError =
        if let fault { .archive(.entry(archive: archive, path: path, fault)) } else {
          .notOfABundle(archive: archive, path: path)
        }
      #expect(try refusal() == expected)
    }
    try expectRefusal("'../x'", "../x", .climbs)
    try expectRefusal("'modules/../../x'", "modules/../../x", .climbs)
    try expectRefusal("'/etc/x'", "/etc/x", .absolute)
    try expectRefusal("'modules/hard', type=LNK, linkname='/etc/passwd'", "modules/hard", .absolute)
    try expectRefusal("'modules/hard', type=LNK, linkname='../../x'", "modules/hard", .climbs)
    // What an honest bundle has none of.
    try expectRefusal("'modules/link', type=SYM, linkname='/etc'", "modules/link", nil)
    try expectRefusal("'modules/device', type=CHR, devmajor=1, devminor=3", "modules/device", nil)
    try expectRefusal("'modules/pipe', type=FIFO", "modules/pipe", nil)
    try expectRefusal("'modules/.wh.fuse.ko'", "modules/fuse.ko", nil)
    try expectRefusal("'noguest.stamp', b'0 0 0'", "noguest.stamp", nil)
    try expectRefusal("'elsewhere/x'", "elsewhere", nil)
    try hostile("del entries['setup']; add('setup', type=DIR)")
    #expect(try refusal() == .notOfABundle(archive: Array("hostile.tar".utf8), path: Array("setup".utf8)))
    #expect(!FileManager.default.fileExists(atPath: "\(directory.path)/x"))
  }

  @Test func whatADescriptionMayNotSay() throws {
    try export(try bundle())
    for change in [
      "release='../../x'", "release='a/b'", "release=''", "release='.hidden'", #"version='\x1b[2J'"#,
      #"modules=['a\nb']"#, "format=99", "entries=3",
    ] {
      try hostile("describe(\(change))")
      #expect(try refusal() == .badArchiveDescription(archive: Array("hostile.tar".utf8)), "\(change)")
    }
    try hostile("add('vmlinux', b'no kernel')")
    guard case .image(path: "hostile.tar: vmlinux", _)? = try refusal() else { throw Unexpected() }
    try hostile("add('initramfs', b'no archive')")
    func damaged(_ words: String) -> KernelBundleError { .archive(.archive(path: Array("hostile.tar".utf8), words)) }
    #expect(try refusal() == damaged("its initramfs is damaged"))
    for name in ["vmlinux", "initramfs", "setup"] {
      try hostile("del entries['\(name)']")
      #expect(try refusal() == damaged("has no \(name)"))
    }
    // What it says of addresses is the image's to say.
    try hostile("describe(entries={'linux64': '0xdead', 'pvh': '0xbeef'})")
    #expect(try take("hostile.tar").description.entries == store.newest().description.entries)
  }
}
