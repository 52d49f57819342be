import ArgumentParser
import Glibc
import Host
import NovmKit
import Packs

extension PackCommand {
  struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "create",
      abstract: "Make a pack of a directory or a tar archive.",
      discussion: """
        What a machine wrote (--write) is a directory, too: removed files stay removed; `novm commit` takes what a kept \
        machine wrote. Without root, what belongs to you is root's in the pack. An archive is read as `novm pack import` \
        does. Prints the pack's digest.

        A pattern without a slash is for names at any depth, one with a slash for paths from the top; * and ? do not \
        match slashes, ** does. What matches brings all beneath it.

        Examples:
          novm pack create tools /opt/tools
          novm pack create --include /usr --include /etc --exclude '*.pyc' system /srv/debian
        """)

    @Argument(help: "The new pack's name.")
    var name: String

    @Argument(help: "The directory, or a tar archive's file.", completion: .file())
    var source: String

    @OptionGroup var options: PackMakingOptions

    func run() throws {
      let path = Path(ByteString.bytes(source)).absolute(in: Surroundings.workingDirectory)
      let patterns = try options.patterns()
      if let place = try? FileDescriptor.open(path, OpenFlags.path),
        let status = try? FileCalls.status(place.raw),
        status.isRegular
      {
        // The absolute path: a file may be called `-`, or as a URL is.
        let archive = ByteString.string(path.bytes)
        let fetched = try FetchedFile(archive, digest: nil, directory: PackCommand.store.directory, ProgressLine())
        return try options.make(name, of: fetched, patterns, digest: nil)
      }
      try options.make(name, origin: path.description) { (builder, progress) throws(PackError) in
        try DirectorySource(path.bytes, patterns: patterns).read(into: builder) { progress("reading: \($0) files") }
      }
    }
  }
}

/// What all commands that make packs take.
struct PackMakingOptions: ParsableArguments {
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("Take only what matches. Repeatable.", valueName: "pattern"))
  var include: [String] = []

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("Leave out what matches. Repeatable.", valueName: "pattern"))
  var exclude: [String] = []

  @Option(help: ArgumentHelp("Let all files belong to this user and group.", valueName: "UID:GID"))
  var owner: String?

  @Flag(help: "Let it have the name though another pack has it.")
  var replace = false

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    if owner != nil && ownerIDs == nil { throw ValidationError("--owner: give two numbers, such as 0:0") }
  }

  private var ownerIDs: (UInt32, UInt32)? {
    let parts = (owner ?? "").split(separator: ":", omittingEmptySubsequences: false).map { UInt32($0) }
    guard parts.count == 2, let uid = parts[0], let gid = parts[1], uid != .max, gid != .max else { return nil }
    return (uid, gid)
  }

  func patterns() throws(PackError) -> PathPatterns {
    try PathPatterns(include: include.map(ByteString.bytes), exclude: exclude.map(ByteString.bytes))
  }

  /// Makes a pack of an archive, shows how far it is, and prints what it is. Confines this process to that for good.
  ///
  /// - Parameter digest: what the archive must be, if that is known.
  func make(
    _ name: String, of fetched: borrowing FetchedFile, _ patterns: PathPatterns, digest: Digest?,
    limits: PackLimits? = nil
  ) throws {
    let line = ProgressLine()
    defer { line.clear() }
    try pack(name, of: fetched, patterns, digest: digest, limits: limits, line) { try show($0, line) }
  }

  /// Makes a pack, shows how far it is, and prints what it is.
  func make(
    _ name: String, origin: String, _ fill: (PackBuilder, (String) -> Void) throws(PackError) -> Void
  ) throws {
    let line = ProgressLine()
    defer { line.clear() }
    try show(pack(name, origin: origin, in: PackCommand.store, line, fill), line)
  }

  private func show(_ pack: Pack, _ line: ProgressLine) throws {
    line.clear()
    if json { return try JSONOutput.print(PackReport(pack)) }
    print(pack.digest)
  }

  /// Makes a pack of an archive, and confines this process to that for good.
  ///
  /// - Parameter take: gets the pack.
  func pack(
    _ name: String, of fetched: borrowing FetchedFile, _ patterns: PathPatterns, digest: Digest?,
    limits: PackLimits? = nil, _ line: ProgressLine, _ take: (Pack) throws -> Void
  ) throws {
    let source = ArchiveSource(Array(fetched.origin.utf8), patterns: patterns, digest: digest)
    let (number, size, origin) = (fetched.file.raw, fetched.size, fetched.origin)
    let directory = PackCommand.store.directory
    try DecoderConfinement.decode(into: [directory]) { places in
      let store = PackStore(directory: places[directory])
      let pack = try pack(name, origin: origin, in: store, limits: limits, line) {
        (builder, progress) throws(PackError) in
        // Blocks of the archive come fast, and the terminal is slow.
        var shown: UInt64 = 0
        try withoutActuallyEscaping(progress) { (progress) throws(PackError) in
          try source.read(number, into: builder) { bytes in
            guard bytes - shown >= 1 << 22 else { return }
            shown = bytes
            progress(ProgressBar.text("reading", bytes, of: size))
          }
        }
      }
      try take(Pack(name: pack.name, record: pack.record, directory: places.told(pack.directory)))
    }
  }

  private func pack(
    _ name: String, origin: String, in store: PackStore, limits: PackLimits? = nil, _ line: ProgressLine,
    _ fill: (PackBuilder, (String) -> Void) throws(PackError) -> Void
  ) throws -> Pack {
    try store.create(name, origin: origin, replacing: replace, limits: limits) { (builder) throws(PackError) in
      try fill(builder) { line.show("\(name): \($0)") }
      if let (uid, gid) = ownerIDs {
        for index in builder.entries.indices {
          if case .whiteout = builder.entries[index].kind { continue }
          if case .link = builder.entries[index].kind { continue }
          (builder.entries[index].uid, builder.entries[index].gid) = (uid, gid)
        }
      }
      line.show("\(name): writing \(builder.entries.count) files")
    }
  }
}
