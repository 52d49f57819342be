import ArgumentParser
import Download
import Glibc
import Host
import NovmKit
import Packs

extension PackCommand {
  struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "import",
      abstract: "Make a pack of a tar archive, from a file or the web.",
      discussion: """
        The archive may be compressed (gzip, bzip2, xz, zstd, lz4), and be a layer of a container image. What could lead \
        out of it is refused, by its name, and nothing is taken then. Prints the pack's digest.

        Examples:
          novm pack import tools.tar.zst
          novm pack import https://example.org/tools.tar.zst
          novm pack import --digest sha256:9f86d081… layer.tar.gz base
          tar c -C /opt/tools . | novm pack import - tools
        """)

    @Argument(help: "The archive's file or address, or - for standard input.", completion: .file())
    var archive: String

    @Argument(help: "The new pack's name; the file's without its ending if not given.")
    var name: String?

    @Option(help: ArgumentHelp("What the archive must be.", valueName: "sha256:…"))
    var digest: String?

    @Option(
      help: ArgumentHelp(
        "The most that its files may have together: MiB, or with K, M, G, T; what the store has room for if not given.",
        valueName: "size"))
    var maxSize: String?

    @OptionGroup var options: PackMakingOptions

    private func limits() throws -> PackLimits {
      let room = PackCommand.store.room
      guard let maxSize else { return PackLimits(bytes: room) }
      guard let size = MemorySize(maxSize) else {
        throw ValidationError("--max-size: '\(ByteString.printable(maxSize))' is no size, such as 500M or 2G")
      }
      return PackLimits(bytes: min(room, UInt64(size.mebibytes) << 20))
    }

    func validate() throws {
      _ = try limits()
      if let digest, Digest(digest) == nil { throw ValidationError("--digest: give sha256: and 64 hexadecimal digits") }
      if archive == "-", name == nil { throw ValidationError("give the pack's name: novm pack import - NAME") }
    }

    func run() throws {
      let name = name ?? ArchiveName(archive).stem
      let patterns = try options.patterns()
      if !options.replace { try PackCommand.store.requireFree(name) }
      let digest = digest.flatMap { Digest($0) }
      let limits = try limits()
      let fetched = try FetchedFile(
        archive, digest: digest, directory: PackCommand.store.directory, limit: limits.bytes, ProgressLine())
      try options.make(name, of: fetched, patterns, digest: digest, limits: limits)
    }
  }

  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "export",
      abstract: "Write a pack to a tar archive.",
      discussion: """
        How it is compressed goes by the file's ending (.tar, .tar.gz, .tgz, .tar.zst) unless said. With --layer removed \
        files are written as the OCI image specification has it. Prints the archive's digest; one pack always gives the \
        same archive.

        Examples:
          novm pack export tools tools.tar.zst
          novm pack export --layer --json changes layer.tar.gz
          novm pack export tools - | tar tv
        """)

    @Argument(help: "The pack's name.", completion: .packs)
    var name: String

    @Argument(help: "The new file, or - for standard output.", completion: .file())
    var file: String

    @Flag(help: "As a layer of a container image.")
    var layer = false

    @Option(help: ArgumentHelp("How to compress.", valueName: "none|gzip|zstd"))
    var compress: ArchiveExport.Compression?

    @Flag(help: "Print JSON: what an image's manifest needs to know.")
    var json = false

    func validate() throws {
      if json && file == "-" {
        throw ValidationError("--json: the archive itself goes to standard output; give a file")
      }
    }

    func run() throws {
      let store = PackCommand.store
      let held = try store.hold(name)
      let manifest = try store.manifest(of: held.pack)
      let export = ArchiveExport(
        form: layer ? .layer : .tar, compression: try compress ?? ArchiveName(file).writable())
      let line = ProgressLine()
      defer { line.clear() }
      let target = try ExportFile(file)
      let result = try export.write(held.pack, manifest, to: target.descriptor, path: ByteString.bytes(file)) {
        line.show(ProgressBar.text("\(name): writing", UInt64($0), of: UInt64(manifest.entries.count), unit: .files))
      }
      try target.finish()
      line.clear()
      if file == "-" { return }
      if json { return try JSONOutput.print(LayerReport(result, export.compression)) }
      print(result.digest)
    }
  }
}

/// What an image's manifest and configuration say of a layer.
private struct LayerReport: Encodable {
  var mediaType: String
  var digest: Digest
  var size: UInt64
  var diffID: Digest

  init(_ result: ArchiveExport.Result, _ compression: ArchiveExport.Compression) {
    let base = "application/vnd.oci.image.layer.v1.tar"
    mediaType = compression == .none ? base : "\(base)+\(compression.rawValue)"
    digest = result.digest
    size = result.size
    diffID = result.diffID
  }
}

extension ArchiveExport.Compression: ExpressibleByArgument {}

/// What an archive's file name says.
struct ArchiveName {
  private let base: String

  /// - Parameter path: or an address.
  init(_ path: String) {
    let path = Download.isAddress(path) ? String(path.prefix { $0 != "?" && $0 != "#" }) : path
    base = String(path.split(separator: "/").last ?? "")
  }

  private static let endings: [(String, ArchiveExport.Compression?)] = [
    (".tar", ArchiveExport.Compression.none), (".tar.gz", .gzip), (".tgz", .gzip), (".tar.zst", .zstd),
    (".tzst", .zstd),
    (".tar.xz", nil), (".txz", nil), (".tar.bz2", nil), (".tbz2", nil), (".tar.lz4", nil),
  ]

  /// The name without what says that it is an archive.
  var stem: String {
    for (ending, _) in Self.endings where base.hasSuffix(ending) { return String(base.dropLast(ending.count)) }
    return base
  }

  /// How such a file is to be compressed; not at all where nothing is said.
  func writable() throws -> ArchiveExport.Compression {
    guard let (ending, compression) = Self.endings.first(where: { base.hasSuffix($0.0) }) else { return .none }
    guard let compression else {
      throw CommandFailure(
        "\(base): novm does not write \(ending); end it in .tar, .tar.gz or .tar.zst, or say --compress")
    }
    return compression
  }

  static func open(_ path: String) throws -> FileDescriptor {
    do {
      return path == "-"
        ? try FileDescriptor.duplicate(of: STDIN_FILENO)
        : try FileDescriptor.open(Path(ByteString.bytes(path)), O_RDONLY)
    } catch {
      throw PackError.system(operation: .open, path: ByteString.bytes(path), error)
    }
  }
}

/// A file that appears under its name when it is whole, or standard output.
///
/// Until then it has no name, so that nothing is left of it however the command ends; unless its file system cannot do that.
final class ExportFile {
  private let path: Path?
  private let temporary: Path
  private let file: FileDescriptor
  private var hasName = false
  private var isFinished = false

  init(_ name: String) throws {
    let path = Path(ByteString.bytes(name))
    temporary = path + ".\(getpid()).new"
    do {
      if name == "-" {
        self.path = nil
        fflush(nil)
        file = try FileDescriptor.duplicate(of: STDOUT_FILENO)
        return
      }
      self.path = path
      do throws(Errno) {
        let directory =
          path.bytes.lastIndex(of: UInt8(ascii: "/")).map { Path(Array(path.bytes[...$0])) }
          ?? Path([UInt8(ascii: ".")])
        file = try FileDescriptor.open(directory, OpenFlags.temporary, mode: 0o644)
      } catch {
        file = try FileDescriptor.create(temporary)
        hasName = true
      }
    } catch {
      throw PackError.system(operation: .create, path: path.bytes, error)
    }
  }

  deinit {
    if hasName, !isFinished {
      (temporary.bytes + [0]).withUnsafeBytes { _ = unlink($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
    }
  }

  var descriptor: Int32 { file.raw }

  func finish() throws {
    guard let path else { return }
    do {
      try FileCalls.sync(file.raw, dataOnly: false)
      let (from, to) = (temporary.bytes + [0], path.bytes + [0])
      if !hasName {
        try FileCalls.link(file.raw, [0].span, to: AT_FDCWD, from.span)
        hasName = true
      }
      try FileCalls.rename(AT_FDCWD, from.span, to: AT_FDCWD, to.span)
      isFinished = true
    } catch {
      throw PackError.system(operation: .write, path: path.bytes, error)
    }
  }
}
