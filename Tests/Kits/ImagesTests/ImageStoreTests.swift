import Foundation
import Host
import HostTesting
import Images
import Packs
import Testing

struct ImageStoreTests {
  private func nobody() -> ImageStore.PackUsers { .init(users: [:], isWhole: true) }

  /// A store, and layouts that are written beside it.
  final class Place {
    let path: String
    let store: ImageStore
    let packs: PackStore

    init() throws {
      path = "/var/tmp/novm-images-\(UUID().uuidString)"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      packs = PackStore(directory: "\(path)/packs")
      store = ImageStore(directory: "\(path)/images", packs: packs)
    }

    deinit { _ = try? Tool.run("/bin/rm", ["-rf", path]) }

    func write(_ bytes: Data, _ name: String) throws {
      let file = "\(path)/\(name)"
      try FileManager.default.createDirectory(
        atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try bytes.write(to: URL(filePath: file))
    }

    /// A tar archive of files.
    func tar(_ files: [String: String], gzip: Bool = false) throws -> Data {
      let work = "\(path)/tar-\(UUID().uuidString)"
      for (name, text) in files { try write(Data(text.utf8), "\((work as NSString).lastPathComponent)/\(name)") }
      _ = try Tool.run(
        "/bin/tar", ["--create", "--sort=name", "--mtime=@0", "--file", "\(work).tar", "--directory", work, "."])
      if gzip { _ = try Tool.run("/bin/gzip", ["--no-name", "\(work).tar"]) }
      return try Data(contentsOf: URL(filePath: gzip ? "\(work).tar.gz" : "\(work).tar"))
    }

    static func digest(_ data: Data) -> String { Digest.of(Array(data)).description }

    func blob(_ data: Data, in layout: String) throws -> String {
      let digest = Self.digest(data)
      try write(data, "\(layout)/blobs/sha256/\(digest.dropFirst(7))")
      return digest
    }

    /// An OCI image layout of gzipped layers.
    func layout(
      _ name: String, _ layers: [[String: String]], architecture: String = "amd64",
      change: (inout [String: Any], inout [String: Any]) -> Void = { _, _ in }
    ) throws {
      var diffs: [String] = []
      var descriptors: [[String: Any]] = []
      for files in layers {
        diffs.append(Self.digest(try tar(files)))
        let packed = try tar(files, gzip: true)
        descriptors.append([
          "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": packed.count,
          "digest": try blob(packed, in: name),
        ])
      }
      var configuration: [String: Any] = [
        "architecture": architecture, "os": "linux", "rootfs": ["type": "layers", "diff_ids": diffs],
        "config": [
          "Env": ["PATH=/bin", "A=1"], "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["echo hi"], "User": "nobody",
          "WorkingDir": "/srv",
        ],
      ]
      var manifest: [String: Any] = ["schemaVersion": 2, "layers": descriptors]
      change(&configuration, &manifest)
      let bytes = try JSONSerialization.data(withJSONObject: configuration, options: .sortedKeys)
      manifest["config"] = [
        "mediaType": "application/vnd.oci.image.config.v1+json", "size": bytes.count,
        "digest": try blob(bytes, in: name),
      ]
      let text = try JSONSerialization.data(withJSONObject: manifest, options: .sortedKeys)
      let index: [String: Any] = [
        "schemaVersion": 2,
        "manifests": [
          [
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": text.count,
            "digest": try blob(text, in: name),
            "annotations": ["org.opencontainers.image.ref.name": "example.org/app:1"],
          ]
        ],
      ]
      try write(try JSONSerialization.data(withJSONObject: index), "\(name)/index.json")
      try write(Data(#"{"imageLayoutVersion":"1.0.0"}"#.utf8), "\(name)/oci-layout")
    }

    func load(_ layout: String) throws -> Image {
      let parts = try ImageParts.images(in: try ImageDirectory("\(path)/\(layout)", source: layout))
      return try store.add(parts[0], references: parts[0].references)
    }
  }

  @Test func layoutBecomesAnImage() throws {
    let place = try Place()
    try place.layout("one", [["a": "base"], ["b": "above"]])
    let image = try place.load("one")
    #expect(image.name == "example.org/app:1")
    #expect(image.packs.count == 2)
    let entries = try place.packs.manifest(of: try place.packs.pack(named: image.packs[1])).entries
    #expect(entries.contains { $0.path == Array("b".utf8) })
    #expect(try place.store.find("example.org/app:1").id == image.id)
    #expect(try place.store.find(image.shortID).id == image.id)
  }

  @Test func configurationMakesTheCommand() throws {
    let place = try Place()
    try place.layout("one", [["a": "base"]])
    let image = try place.load("one")
    #expect(image.command([]) == ["/bin/sh", "-c", "echo hi"])
    #expect(image.command(["ls"]) == ["/bin/sh", "-c", "ls"])
    #expect(image.command(["ls"], entrypoint: []) == ["ls"])
    #expect(image.command([], entrypoint: ["/x"]) == ["/x"])
    #expect(image.environment(["A=2", "B=3"]) == ["PATH=/bin", "A=2", "B=3"])
  }

  @Test func savedArchivesFromAPipe() throws {
    let place = try Place()
    let layer = try place.tar(["a": "base"])
    let configuration = try JSONSerialization.data(withJSONObject: [
      "architecture": "amd64", "os": "linux", "rootfs": ["type": "layers", "diff_ids": [Place.digest(layer)]],
    ])
    try place.write(configuration, "saved/c.json")
    try place.write(layer, "saved/l/layer.tar")
    let list = [["Config": "c.json", "RepoTags": ["app:2"], "Layers": ["m/layer.tar"]] as [String: Any]]
    try place.write(try JSONSerialization.data(withJSONObject: list), "saved/manifest.json")
    // As Docker has a layer that comes twice.
    try FileManager.default.createDirectory(atPath: "\(place.path)/saved/m", withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: "\(place.path)/saved/m/layer.tar", withDestinationPath: "../l/layer.tar")
    _ = try Tool.run(
      "/bin/tar", ["--create", "--file", "\(place.path)/saved.tar", "--directory", "\(place.path)/saved", "."])
    let file = try FileDescriptor.open("\(place.path)/saved.tar", 0)
    let archive = try ImageArchive(
      ArchiveInput(FileBytes(file.raw, path: [])), source: "saved.tar", store: place.packs)
    let parts = try ImageParts.images(in: archive)
    let image = try place.store.add(parts[0], references: parts[0].references)
    #expect(image.name == "app:2")
    #expect(try place.packs.manifest(of: try place.packs.pack(named: image.packs[0])).size == 4)
  }

  @Test func layersAreShared() throws {
    let place = try Place()
    try place.layout("one", [["a": "base"], ["b": "1"]])
    try place.layout("two", [["a": "base"], ["b": "2"]])
    let one = try place.load("one")
    let two = try place.load("two")
    #expect(one.packs[0] == two.packs[0])
    // The name leads to the second now, and the first has none.
    let images = try place.store.list()
    #expect(images.map(\.id) == [two.id, one.id] && images[1].references.isEmpty)
    #expect(try place.store.remove(one.id.description, force: false, users: nobody) == [.removed(one.id)])
    #expect(try place.packs.list().packs.map(\.name).sorted() == two.packs.sorted())
    _ = try place.store.remove("example.org/app:1", force: false, users: nobody)
    #expect(try place.packs.list().packs.isEmpty)
  }

  @Test func namesAndWhoUsesThem() throws {
    let place = try Place()
    try place.layout("one", [["a": "base"]])
    let image = try place.load("one")
    let other = try #require(ImageReference("localhost/base:1"))
    try place.store.tag(image.shortID, as: other)
    #expect(throws: ImageError.self) { try place.store.remove(image.shortID, force: false, users: nobody) }
    #expect(try place.store.remove("localhost/base:1", force: false, users: nobody) == [.untagged(other)])
    #expect(throws: ImageError.inUse("example.org/app:1", by: "the machine box")) {
      try place.store.remove("example.org/app:1", force: true) {
        .init(users: Dictionary(uniqueKeysWithValues: image.packs.map { ($0, "box") }), isWhole: true)
      }
    }
    #expect(try place.store.find("example.org/app:1").id == image.id)
  }

  @Test func otherPlatformsAreNamed() throws {
    let place = try Place()
    try place.layout("arm", [["a": "base"]], architecture: "arm64")
    #expect(throws: ImageError.platform(source: "arm", has: ["linux/arm64"])) { try place.load("arm") }
  }

  @Test func lies() throws {
    let place = try Place()
    let wrong = "sha256:" + String(repeating: "00", count: 32)
    // A layer that unpacks to something else.
    try place.layout("diff", [["a": "base"]]) { configuration, _ in
      configuration["rootfs"] = ["type": "layers", "diff_ids": [wrong]]
    }
    #expect(throws: ImageError.self) { try place.load("diff") }
    // A blob that is not what its name says.
    try place.layout("blob", [["a": "base"]])
    let blobs = "\(place.path)/blob/blobs/sha256"
    for name in try FileManager.default.contentsOfDirectory(atPath: blobs) {
      let file = URL(filePath: "\(blobs)/\(name)")
      try (try Data(contentsOf: file) + Data([0])).write(to: file)
    }
    #expect(throws: ImageError.self) { try place.load("blob") }
    // Layers that no configuration has, and thousands of them.
    try place.layout("more", [["a": "base"]]) { _, manifest in
      let layers = manifest["layers"] as! [[String: Any]]
      manifest["layers"] = Array(repeating: layers[0], count: 2)
    }
    #expect(throws: ImageError.self) { try place.load("more") }
    // Blobs that lead out.
    try place.layout("out", [["a": "base"]])
    let out = "\(place.path)/out/blobs/sha256"
    for name in try FileManager.default.contentsOfDirectory(atPath: out) {
      try FileManager.default.moveItem(atPath: "\(out)/\(name)", toPath: "\(place.path)/\(name)")
      try FileManager.default.createSymbolicLink(atPath: "\(out)/\(name)", withDestinationPath: "\(place.path)/\(name)")
    }
    #expect(throws: ImageError.self) { try place.load("out") }
    // Nothing of all this stays.
    #expect(try place.packs.list().packs.isEmpty)
    #expect(try place.store.list().isEmpty)
  }

  /// Layers are images' alone.
  @Test func namesOfLayers() throws {
    let place = try Place()
    #expect(throws: PackError.layerName("layer:x")) { try place.packs.create("layer:x", origin: "") { _ in } }
    #expect(throws: PackError.layerName("layer:x")) { try place.packs.requireFree("layer:x") }
    #expect(throws: PackError.layerName("layer:x")) { try place.packs.remove("layer:x") }
  }

  /// What cannot be read may have layers, too.
  @Test func nothingIsSweptInTheDark() throws {
    let place = try Place()
    try place.layout("one", [["a": "base"]])
    try place.layout("two", [["b": "other"]])
    let one = try place.load("one")
    let two = try place.load("two")
    _ = try place.store.remove(one.shortID, force: true) { .init(users: [:], isWhole: false) }
    #expect(try place.packs.list().packs.count == 2)
    try place.layout("three", [["c": "third"]])
    let three = try place.load("three")
    try place.write(Data("x".utf8), "images/images/\(two.id.hexadecimal)/config")
    _ = try place.store.remove(three.shortID, force: true, users: nobody)
    #expect(try place.packs.list().packs.count == 3)
    // What is damaged goes by its digits, and all with it that is nobody's.
    #expect(try place.store.remove(two.shortID, force: false, users: nobody) == [.removed(two.id)])
    #expect(try place.packs.list().packs.isEmpty)
  }

  /// What a killed command left goes without an image that goes, but not under somebody's hands.
  @Test func layersOfNobody() throws {
    let place = try Place()
    try place.store.sweep(users: nobody)
    try place.layout("one", [["a": "base"]])
    let kept = try place.load("one").packs
    let layer = try place.tar(["b": "left"])
    try place.write(layer, "layer.tar")
    let file = try FileDescriptor.open("\(place.path)/layer.tar", 0)
    try place.store.unpack(FileBytes(file.raw, path: []), Digest.of(Array(layer)), nil, origin: "x")
    func count() throws -> Int { try place.packs.list().packs.count }
    do {
      let adding = try place.store.holdLayers()
      try place.store.sweep(users: nobody)
      _ = adding.raw
    }
    #expect(try count() == 2)
    try place.store.sweep { .init(users: [:], isWhole: false) }
    #expect(try count() == 2)
    try place.store.sweep(users: nobody)
    #expect(try place.packs.list().packs.map(\.name) == kept)
  }

  /// Only what images say is passed over: a user is told.
  @Test func labelsOfTheUserStay() throws {
    let place = try Place()
    try place.layout("one", [["a": "base"]])
    #expect(try place.load("one").labels(["=x", "b=c", "a"]) == ["=x", "a=", "b=c"])
  }

  @Test func layersHaveAPlaceBeforeTheyCome() throws {
    let place = try Place()
    _ = try place.store.holdLayers()
    #expect(FileManager.default.fileExists(atPath: place.packs.directory))
  }

  @Test func namesThatAreTooLong() throws {
    let place = try Place()
    let path = Array(repeating: "a", count: 44).joined(separator: "/")
    let long = try #require(ImageReference("localhost/\(path):" + String(repeating: "t", count: 80)))
    try place.layout("one", [["a": "base"]])
    let parts = try ImageParts.images(in: try ImageDirectory("\(place.path)/one", source: "one"))
    #expect(throws: ImageError.longName(long.description)) { try place.store.add(parts[0], references: [long]) }
    #expect(throws: ImageError.longName(long.description)) { try place.store.tag("one", as: long) }
    #expect(!FileManager.default.fileExists(atPath: place.packs.directory))
  }

  @Test func damagedImagesComeAnew() throws {
    let place = try Place()
    try place.layout("one", [["a": "base"]])
    let image = try place.load("one")
    try place.write(Data("x".utf8), "images/images/\(image.id.hexadecimal)/config")
    #expect(throws: ImageError.damaged(image.id.description)) { try place.store.find("example.org/app:1") }
    #expect(try place.load("one").id == image.id)
    // A name whose image is gone.
    try FileManager.default.removeItem(atPath: "\(place.path)/images/images/\(image.id.hexadecimal)")
    let name = try #require(ImageReference("example.org/app:1"))
    #expect(try place.store.remove("example.org/app:1", force: false, users: nobody) == [.untagged(name)])
    #expect(throws: ImageError.noSuchImage("example.org/app:1")) {
      try place.store.remove("example.org/app:1", force: false, users: nobody)
    }
  }

  /// An image may hold an image.
  @Test func layoutsInLayers() throws {
    let place = try Place()
    try place.layout("one", [["oci-layout": "{}", "index.json": "{}", "manifest.json": "[]"]])
    #expect(try place.load("one").packs.count == 1)
  }

  /// A few files that name each other, and what there would be of them without a bound.
  @Test func indicesOfIndices() throws {
    let place = try Place()
    try place.layout("one", [["a": "base"]])
    func index(_ digests: [String], _ pad: Int) throws -> String {
      let entries = digests.map { ["digest": $0, "size": 1, "mediaType": "x"] as [String: Any] }
      var text = try JSONSerialization.data(withJSONObject: ["schemaVersion": 2, "manifests": entries])
      text += Data(String(repeating: " ", count: pad).utf8)
      return try place.blob(text, in: "one")
    }
    let files = try ImageDirectory("\(place.path)/one", source: "one")
    func write(_ digests: [String]) throws {
      let entries = digests.map { ["digest": $0, "size": 1] as [String: Any] }
      try place.write(
        try JSONSerialization.data(withJSONObject: ["schemaVersion": 2, "manifests": entries]), "one/index.json")
    }
    // The same again and again is read once.
    let leaf = try index([], 4_000_000)
    let middle = try index(Array(repeating: leaf, count: 1000), 0)
    try write(Array(repeating: middle, count: 1000))
    let begin = ContinuousClock.now
    #expect(throws: ImageError.malformed(source: "one", "no image in it")) { try ImageParts.images(in: files) }
    #expect(ContinuousClock.now - begin < .seconds(20))
    // Others are counted.
    try write(try (0..<17).map { try index([], 4_000_000 + $0) })
    #expect(throws: ImageError.malformed(source: "one", "more than 10,000 descriptions, or 64 MiB of them")) {
      try ImageParts.images(in: files)
    }
  }
}
