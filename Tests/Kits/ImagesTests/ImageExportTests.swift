import Foundation
import Host
import Images
import Packs
import Testing

struct ImageExportTests {
  private typealias Place = ImageStoreTests.Place

  private func save(
    _ image: Image, of place: Place, to output: any ImageOutput, _ compression: ArchiveExport.Compression
  ) throws {
    var export = ImageExport(place.store, to: output, compression)
    try export.add(image, references: image.references)
    // Once more, by no name: nothing is written twice.
    try export.add(image, references: [])
    try export.finish()
  }

  private func archive(_ name: String, of place: Place) throws -> ImageArchive {
    let file = try FileDescriptor.open("\(place.path)/\(name)", 0)
    return try ImageArchive(ArchiveInput(FileBytes(file.raw, path: [])), source: name, store: place.packs)
  }

  private func packs(of image: Image, in place: Place) throws -> [Digest] {
    try image.packs.map { try place.packs.pack(named: $0).digest }
  }

  @Test(arguments: ArchiveExport.Compression.allCases)
  func whatIsSavedIsLoadedAgain(compression: ArchiveExport.Compression) throws {
    let place = try Place()
    try place.layout("one", [["a": "base", "d/e": "more"], ["b": "above"]]) { configuration, _ in
      configuration["Foreign"] = ["x": [1, 2.5, true, "\u{e9}/"]]
    }
    let image = try place.load("one")
    let file = try FileDescriptor.open("\(place.path)/saved.tar", O_WRONLY | O_CREAT, mode: 0o600)
    try save(image, of: place, to: try ImageArchiveOutput(file.raw, path: []), compression)
    let parts = try ImageParts.images(in: try archive("saved.tar", of: place))
    #expect(parts.map(\.references) == [image.references, []])
    let second = try place.store.add(parts[0], references: [])
    #expect(second.configuration.config == image.configuration.config)
    #expect(try packs(of: second, in: place) == packs(of: image, in: place))
    let document = try JSONSerialization.jsonObject(with: Data(second.configurationBytes)) as? [String: Any]
    #expect(((document?["Foreign"] as? [String: Any])?["x"] as? [Any])?.count == 4)

    // As a layout; and what novm wrote once it writes the same again.
    try save(second, of: place, to: try ImageDirectoryOutput("\(place.path)/layout"), compression)
    let again = try ImageParts.images(in: try ImageDirectory("\(place.path)/layout", source: "layout"))
    #expect(Set(again.map(\.id)) == [second.id])
    #expect(throws: ImageError.self) { try ImageDirectoryOutput("\(place.path)/layout") }
    // Without what docker load looks for, it is a layout still.
    try FileManager.default.removeItem(atPath: "\(place.path)/layout/manifest.json")
    let layout = try ImageParts.images(in: try ImageDirectory("\(place.path)/layout", source: "layout"))
    #expect(layout.map(\.id) == [second.id])
    #expect(try place.store.add(layout[0], references: []).id == second.id)
  }

  /// What a killed command left is in nobody's way; what is somebody's, or somebody is at, is left alone.
  @Test func leftovers() throws {
    let place = try Place()
    let path = "\(place.path)/layout"
    let blob = "layout/blobs/sha256/" + String(repeating: "a", count: 64)
    try place.write(Data("x".utf8), blob)
    try place.write(Data("x".utf8), "layout/blobs/mine")
    #expect(throws: ImageError.self) { try ImageDirectoryOutput(path) }
    try FileManager.default.removeItem(atPath: "\(path)/blobs/mine")
    try place.write(Data("x".utf8), blob)
    do {
      let output = try ImageDirectoryOutput(path)
      #expect(try FileManager.default.contentsOfDirectory(atPath: "\(path)/blobs/sha256") == [])
      #expect(throws: ImageError.self) { try ImageDirectoryOutput(path) }
      try output.write([1], to: String(blob.dropFirst("layout/".count)))
      try output.write([1], to: "oci-layout")
      output.discard()
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: path) == [])
    try place.write(Data("x".utf8), "layout/oci-layout")
    #expect(throws: ImageError.self) { try ImageDirectoryOutput(path) }
    #expect(FileManager.default.fileExists(atPath: "\(path)/oci-layout"))
    // Made by whoever fails, it goes, too.
    try ImageDirectoryOutput("\(place.path)/other/").discard()
    #expect(!FileManager.default.fileExists(atPath: "\(place.path)/other"))
  }

  /// The same image is the same bytes.
  @Test func archivesAreReproducible() throws {
    let place = try Place()
    try place.layout("one", [["a": "base"]])
    let image = try place.load("one")
    for name in ["x", "y"] {
      let file = try FileDescriptor.open("\(place.path)/\(name)", O_WRONLY | O_CREAT, mode: 0o600)
      try save(image, of: place, to: try ImageArchiveOutput(file.raw, path: []), .gzip)
    }
    #expect(
      try Data(contentsOf: URL(filePath: "\(place.path)/x")) == Data(contentsOf: URL(filePath: "\(place.path)/y")))
  }

  @Test func writesBecomeALayer() throws {
    let place = try Place()
    try place.layout("one", [["a": "base"]]) { configuration, _ in
      configuration["history"] = [["created_by": "first"]]
      configuration["container_config"] = ["Image": "x"]
      configuration["Foreign"] = 1
    }
    let base = try place.load("one")
    try place.write(Data("new".utf8), "writes/etc/new")
    let reference = try #require(ImageReference("localhost/two:1"))
    let source = DirectorySource(
      Array("\(place.path)/writes".utf8), patterns: try PathPatterns(include: [], exclude: []), isRecorded: false)
    let image = try place.store.commit(
      source, above: base, ImageCommit(origin: "machine box", author: "me", message: "more"), references: [reference])
    #expect(image.references == [reference])
    #expect(image.packs.count == 2 && image.packs[0] == base.packs[0])
    #expect(image.configuration.config == base.configuration.config)
    #expect(image.configuration.history?.map(\.createdBy) == ["first", "novm commit"])
    #expect(image.configuration.history?.last?.comment == "more")
    let document = try JSONSerialization.jsonObject(with: Data(image.configurationBytes)) as? [String: Any]
    #expect(
      document?["Foreign"] as? Int == 1 && document?["container_config"] == nil
        && document?["author"] as? String == "me")
    let entries = try place.packs.manifest(of: try place.packs.pack(named: image.packs[1])).entries
    #expect(entries.map { String(decoding: $0.path, as: UTF8.self) } == ["", "etc", "etc/new"])
    // What the layer was made of is gone.
    #expect(try place.packs.list().packs.map(\.name).sorted() == image.packs.sorted())
  }
}
