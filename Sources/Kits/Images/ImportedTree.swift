import FoundationEssentials
import Packs

extension ImageParts {
  /// An image of one layer: a tree in a tar archive, in any compression.
  ///
  /// The archive is read once, from a file or a pipe, into a file without a name on the store's disk, since an image is named by
  /// its digest.
  ///
  /// - Parameters:
  ///   - source: for people.
  ///   - time: when it was made.
  ///   - message: for its history.
  ///   - changes: what it says of its command.
  package static func imported(
    _ input: ArchiveInput, source: String, time: Date, message: String? = nil, changes: [ImageChange] = [],
    references: [ImageReference], store: PackStore
  ) throws(ImageError) -> ImageParts {
    // Before the archive is read.
    var nothing: JSONValue = [:]
    try ImageChange.apply(changes, to: &nothing)
    let path = Array(source.utf8)
    let file: SharedFile
    var end: UInt64 = 0
    var hash = SHA256()
    do throws(PackError) {
      file = SharedFile(try store.temporaryFile())
      let room = store.room
      let bytes = try UncompressedBytes(input, path: path)
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
      defer { unsafe buffer.deallocate() }
      while true {
        let count = try unsafe bytes.read(into: buffer)
        if count == 0 { break }
        let piece = unsafe [UInt8](UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        guard end + UInt64(count) <= room else { throw .limit(source: path, path: path, .bytes(room)) }
        try ImageArchive.write(piece, to: file, path: path)
        hash.update(piece)
        end += UInt64(count)
      }
    } catch {
      throw .pack(error)
    }
    let diff = hash.digest()
    let created = time.formatted(.iso8601)
    let configuration = ImageConfiguration(
      created: created, architecture: "amd64", os: "linux", config: .init(),
      rootfs: .init(type: "layers", layers: [diff]),
      history: [.init(created: created, createdBy: nil, comment: message ?? "imported from \(source)", isEmpty: nil)])
    var document: JSONValue = try ImageJSON.decode(ImageJSON.encode(configuration), of: source)
    try ImageChange.apply(changes, to: &document)
    let json = ImageJSON.encode(document)
    let layer = Layer(digest: nil) { () throws(ImageError) in RangeBytes(file, 0..<end, path: path) }
    return try ImageParts(source: source, configuration: json, layers: [layer], references: references)
  }
}
