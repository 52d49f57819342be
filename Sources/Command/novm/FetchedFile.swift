import Download
import Glibc
import Host
import NovmKit
import Packs

/// A file that a command was given, by path or address, open for reading.
///
/// What is fetched has no name on the disk, so that nothing is left of it however the command ends.
struct FetchedFile: ~Copyable {
  let file: FileDescriptor
  /// For people.
  let origin: String
  let size: UInt64?

  /// - Parameters:
  ///   - name: a path, an address, or `-` for standard input.
  ///   - digest: what it must be, which is for the reader to compare.
  ///   - directory: where there is room.
  ///   - limit: bytes of what is fetched; as many as there is room for if nil.
  init(_ name: String, digest: Digest?, directory: String, limit: UInt64? = nil, _ line: ProgressLine) throws {
    let isAddress = Download.isAddress(name)
    file = isAddress ? try Self.fetch(name, digest: digest, directory, limit, line) : try ArchiveName.open(name)
    origin = name == "-" ? "standard input" : ByteString.printable(Download.shown(name))
    size = (try? file.regularFileSize()).map { UInt64($0) }
  }

  private static func fetch(
    _ address: String, digest: Digest?, _ directory: String, _ limit: UInt64?, _ line: ProgressLine
  ) throws -> FileDescriptor {
    let store = PackStore(directory: directory)
    let file = try store.temporaryFile()
    var download = try Download(address, limit: min(limit ?? .max, store.room))
    guard digest != nil || download.isSecure else {
      throw CommandFailure(
        "\(Download.shown(address)): by http anybody on the way could change it; give --digest sha256:…, or an https address"
      )
    }
    download.resumes = digest != nil
    let program = Surroundings.programs.nofetch
    try InstalledPrograms.require(program)
    defer { line.clear() }
    try download.fetch(to: file.raw, by: program) { line.show(ProgressBar.text("downloading", $0, of: $1)) }
    lseek(file.raw, 0, SEEK_SET)
    return file
  }
}
