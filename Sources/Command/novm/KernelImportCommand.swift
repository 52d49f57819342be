import ArgumentParser
import Download
import FoundationEssentials
import Glibc
import Host
import KernelBundle
import NovmKit
import Packs

extension KernelCommand {
  struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "import",
      abstract: "Make a kernel ready to boot.",
      discussion: """
        Without arguments, the running system's kernel. One of the same name is replaced. Prints the kernel's name.

        Of an archive, as `novm kernel export` writes them, what could lead out of it is refused, by its name, and nothing is \
        taken then. A kernel from elsewhere is as free in its machines as any other, and sees of the host what they are shown.

        Examples:
          novm kernel import
          novm kernel import --deb linux-image-amd64
          novm kernel import --deb ./linux-image-6.1.0-56-cloud-amd64_6.1.192-2_amd64.deb
          novm kernel import arch/x86/boot/bzImage --modules /tmp/root/lib/modules/6.12.0 --name mine
          novm kernel import ./linux
          novm kernel import --digest sha256:9f86d081… https://example.org/kernel.tar.zst
        """)

    @Argument(
      help: """
        A bzImage (vmlinuz), an ELF vmlinux, or libkrunfw.so; a directory in which a kernel was built; or an exported \
        kernel: its file or address, or - for standard input.
        """, completion: .file())
    var image: String?

    @Option(
      help:
        "The directory of the kernel's modules, such as /lib/modules/RELEASE, or one with those of several kernels.",
      completion: .directory)
    var modules: String?

    @Option(
      help: """
        A Debian package: a file (with a / or ending in .deb), or a name to download. Give more than one file where a \
        distribution packs modules apart.
        """,
      completion: .file(extensions: ["deb"]))
    var deb: [String] = []

    @Option(help: "Name it otherwise than by its release.")
    var name: String?

    @Option(help: ArgumentHelp("What the archive must be.", valueName: "sha256:…"))
    var digest: String?

    func validate() throws {
      if image != nil && !deb.isEmpty { throw ValidationError("give an image or --deb, not both") }
      if image == nil && modules != nil { throw ValidationError("--modules goes with an image: the kernel's file") }
      if deb.count > 1 && !deb.allSatisfy(Self.isFile) {
        throw ValidationError("more than one --deb: each must be a package's file")
      }
      if let digest, Digest(digest) == nil { throw ValidationError("--digest: give sha256: and 64 hexadecimal digits") }
      if digest != nil && image == nil { throw ValidationError("--digest goes with an exported kernel's archive") }
    }

    private static func isFile(_ package: String) -> Bool { package.contains("/") || package.hasSuffix(".deb") }

    private var source: KernelSource {
      if let image { return .image(path: image, modules: modules) }
      if deb.isEmpty { return .runningSystem }
      return deb.allSatisfy(Self.isFile) ? .packageFiles(deb) : .package(name: deb[0])
    }

    func run() throws {
      let noguest = Surroundings.programs.noguest
      guard FileManager.default.fileExists(atPath: noguest) else {
        throw NovmError.programMissing(noguest)
      }
      let line = ProgressLine()
      defer { line.clear() }
      if let image, BundleSource.isArchive(image) {
        if modules != nil { throw CommandFailure("--modules: an exported kernel has its own; leave it out") }
        let bundle = try BundleSource.take(image, digest: digest, name: name, noguest: noguest, line)
        line.clear()
        return print(bundle.name)
      }
      if digest != nil { throw CommandFailure("--digest: \(image ?? "") is no exported kernel's archive") }
      let bundle = try KernelCommand.store.import(source, name: name, noguest: noguest) { line.show($0.text) }
      line.clear()
      if bundle.description.support.evidence == .strings {
        StandardError.write(
          """
          novm: warning: \(bundle.name) carries no configuration and came without modules: what it supports is guessed \
          from names in its image; give --modules DIR to know\n
          """)
      }
      print(bundle.name)
    }
  }

  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "export",
      abstract: "Write a kernel to a tar archive, for `novm kernel import` elsewhere.",
      discussion: """
        How it is compressed goes by the file's ending (.tar, .tar.gz, .tgz, .tar.zst) unless said. Prints the archive's \
        digest; one kernel always gives the same archive.

        Examples:
          novm kernel export 6.1.0-56-cloud-amd64 kernel.tar.zst
          novm kernel export mine - | ssh other novm kernel import -
        """)

    @Argument(help: "The kernel's name.", completion: .kernels)
    var name: String

    @Argument(help: "The new file, or - for standard output.", completion: .file())
    var file: String

    @Option(help: ArgumentHelp("How to compress.", valueName: "none|gzip|zstd"))
    var compress: ArchiveExport.Compression?

    func run() throws {
      let bundle = try KernelCommand.store.bundle(named: name)
      let line = ProgressLine()
      defer { line.clear() }
      let target = try ExportFile(file)
      var shown: UInt64 = 0
      let result = try BundleExport.write(
        bundle, to: target.descriptor, path: ByteString.bytes(file),
        compression: try compress ?? ArchiveName(file).writable()
      ) { bytes in
        guard bytes - shown >= 1 << 22 else { return }
        shown = bytes
        line.show(ProgressBar.text("\(name): writing", bytes, of: UInt64(clamping: bundle.description.size)))
      }
      try target.finish()
      line.clear()
      if file != "-" { print(result.digest) }
    }
  }
}

/// A kernel that comes as the archive of its bundle.
private enum BundleSource {
  /// Whether it is no image: by its address, or else by its first bytes.
  static func isArchive(_ name: String) -> Bool {
    if name == "-" || Download.isAddress(name) { return true }
    // To open a FIFO would take from it what is for whoever reads it next.
    guard let place = try? FileDescriptor.open(Path(ByteString.bytes(name)), OpenFlags.path),
      let status = try? FileCalls.status(place.raw), status.isRegular,
      let file = try? FileCalls.reopen(place.raw, O_RDONLY)
    else { return false }
    var start = [UInt8](repeating: 0, count: 512)
    guard let count = try? FileCalls.read(file.raw, at: 0, into: &start) else { return false }
    start.removeSubrange(count...)
    // A tar archive's first header (POSIX pax(1), ustar Interchange Format), or one that is compressed; by LZ4 in frames,
    // which no kernel is (lz4_Frame_format.md).
    return start.dropFirst(257).starts(with: "ustar".utf8) || Compression(detecting: start) != nil
      || start.starts(with: [0x04, 0x22, 0x4d, 0x18])
  }

  static func take(
    _ name: String, digest: String?, name bundleName: String?, noguest: String, _ line: ProgressLine
  ) throws -> KernelBundle {
    let store = KernelCommand.store
    try store.makeDirectory()
    let digest = digest.flatMap { Digest($0) }
    let fetched = try FetchedFile(name, digest: digest, directory: store.directory, line)
    let size = fetched.size
    let bundle = try store.import(
      archive: fetched.file.raw, origin: fetched.origin, digest: digest, name: bundleName, noguest: noguest
    ) { progress in
      if case .reading(let bytes) = progress {
        line.show(ProgressBar.text("reading", bytes, of: size))
      } else {
        line.show(progress.text)
      }
    }
    // Open until here.
    _ = fetched.file.raw
    return bundle
  }
}
