import Glibc
import Host

/// A Debian binary package (deb(5)): an `ar` archive of `debian-binary`, `control.tar.*` and `data.tar.*`.
struct DebianPackage {
  let path: String
  /// The fields of the control file, with their folded lines.
  let control: [String: String]
  private let data: Range<Int>

  /// What a package brings to a bundle; the rest of it stays packed.
  struct Contents {
    var image: String?
    var configuration: String?
    var modules: String?
  }

  init(_ path: String) throws(KernelBundleError) {
    let members = try Self.members(of: path)
    guard members.contains(where: { $0.name == "debian-binary" }),
      let controlMember = members.first(where: { $0.name.hasPrefix("control.tar") }),
      let dataMember = members.first(where: { $0.name.hasPrefix("data.tar") })
    else { throw .package(path: path, .notAPackage) }
    self.path = path
    data = dataMember.range
    let archive = try ArchiveReader(path, controlMember.range)
    var fields: [String: String] = [:]
    while let entry = try archive.next() {
      guard entry.path == "control" else { continue }
      fields = Self.fields(String(decoding: try archive.contents(limit: 1 << 20), as: UTF8.self))
    }
    control = fields
  }

  var nameAndVersion: String {
    [control["Package"] ?? "unknown", control["Version"] ?? ""].joined(separator: " ")
  }

  /// The packages that this one depends on, the first of each set of alternatives, without versions.
  var dependencies: [String] {
    ["Pre-Depends", "Depends"].compactMap { control[$0] }.flatMap { $0.split(separator: ",") }.compactMap {
      $0.split(separator: "|").first?.split { " (:\n\t".contains($0) }.first.map(String.init)
    }
  }

  /// Those of them that a kernel, its modules or its configuration may be in.
  var kernelDependencies: [String] {
    dependencies.filter { name in
      ["linux-image-", "linux-binary-", "linux-modules-"].contains(where: name.hasPrefix)
        // Of a release; the others of this name are for all of them.
        || name.hasPrefix("linux-base-") && name.dropFirst(11).first?.isNumber == true
    }
  }

  /// Unpacks kernel, configuration and modules into `directory`.
  ///
  /// Names in the archive choose only what lies beneath `directory`: links are made last, so that none of them can lead a
  /// file elsewhere.
  func unpack(into directory: String, progress: (Int) -> Void) throws(KernelBundleError) -> Contents {
    var contents = Contents()
    var links: [(path: String, target: String)] = []
    var files = 0
    var bytesLeft = Self.byteLimit
    let archive = try ArchiveReader(path, data)
    while let entry = try archive.next() {
      guard let place = Place(entry.path) else { continue }
      if files + links.count >= Self.fileLimit { throw .package(path: self.path, .damaged("it has too many files")) }
      let path = "\(directory)/\(place.path)"
      if case .module(let release, _) = place { contents.modules = "\(directory)/modules/\(release)" }
      switch entry.kind {
      case .directory: try Files.makeDirectories(path)
      case .link(let target):
        if case .module = place { links.append((path, target)) }
      case .file:
        try Files.makeDirectories(String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
        let bytes = try archive.contents(limit: min(1 << 30, bytesLeft))
        bytesLeft -= bytes.count
        try Files.attempt(.write, path) { () throws(Errno) in
          try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644).writeAll(bytes)
        }
        switch place {
        case .image: contents.image = path
        case .configuration: contents.configuration = path
        case .module: break
        }
        files += 1
        progress(files)
      case .other: break
      }
    }
    for link in links { try Files.makeLink(link.path, to: link.target) }
    return contents
  }

  /// More than any kernel has.
  private static let fileLimit = 100_000
  private static let byteLimit = 8 << 30

  /// Where an entry of the package goes.
  private enum Place {
    case image(String)
    case configuration(String)
    case module(release: String, String)

    init?(_ path: String) {
      var parts = path.split(separator: "/").map(String.init)
      if parts.first == "usr" { parts.removeFirst() }
      // Debian's linux-binary-RELEASE and linux-base-RELEASE: beside the modules, as Fedora has it.
      if parts.count == 4, parts[0] == "lib", parts[1] == "modules", ["vmlinuz", "config"].contains(parts[3]) {
        parts = ["boot", "\(parts[3])-\(parts[2])"]
      }
      if parts.count == 2, parts[0] == "boot", parts[1].hasPrefix("vmlinuz-") {
        self = .image(parts[1])
      } else if parts.count == 2, parts[0] == "boot", parts[1].hasPrefix("config-") {
        self = .configuration(parts[1])
      } else if parts.count > 2, parts[0] == "lib", parts[1] == "modules" {
        self = .module(release: parts[2], parts[3...].joined(separator: "/"))
      } else {
        return nil
      }
    }

    var path: String {
      switch self {
      case .image(let name), .configuration(let name): "boot/\(name)"
      case .module(let release, ""): "modules/\(release)"
      case .module(let release, let path): "modules/\(release)/\(path)"
      }
    }
  }

  private struct Member {
    var name: String
    var range: Range<Int>
  }

  /// The members of an `ar` archive (ar(5)): 60-byte headers, contents padded to even sizes.
  private static func members(of path: String) throws(KernelBundleError) -> [Member] {
    guard let size = Files.size(path) else { throw .system(operation: .open, path: path, .current) }
    // To open a FIFO waits for who may never come, and it cannot be read from the middle.
    guard Files.kind(path) == .file else { throw .package(path: path, .notAPackage) }
    func bytes(at offset: Int, _ count: Int) throws(KernelBundleError) -> [UInt8] {
      try Files.attempt(.read, path) { () throws(Errno) in
        let file = try FileDescriptor.open(path, O_RDONLY)
        try checked(lseek(file.raw, offset, SEEK_SET))
        var buffer = [UInt8](repeating: 0, count: count)
        return Array(buffer[..<(try file.read(into: &buffer))])
      }
    }
    guard try bytes(at: 0, 8) == Array("!<arch>\n".utf8) else { throw .package(path: path, .notAPackage) }
    var members: [Member] = []
    var position = 8
    while position < size {
      let header = try bytes(at: position, 60)
      guard header.count == 60, header[58...].elementsEqual([0x60, 0x0A]),
        let memberSize = Int(text(header[48..<58])), memberSize >= 0, memberSize <= size - position - 60
      else { throw .package(path: path, .damaged("the file ends early, or a member's header is damaged")) }
      var name = text(header[..<16])
      if name.hasSuffix("/") { name.removeLast() }
      members.append(Member(name: name, range: (position + 60)..<(position + 60 + memberSize)))
      position += 60 + memberSize + (memberSize & 1)
    }
    return members
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: bytes.prefix { $0 != 0x20 }, as: UTF8.self)
  }

  private static func fields(_ text: String) -> [String: String] {
    var fields: [String: String] = [:]
    var name = ""
    for line in text.split(separator: "\n") {
      if line.hasPrefix(" ") || line.hasPrefix("\t") {
        fields[name, default: ""] += line
      } else if let colon = line.firstIndex(of: ":") {
        name = String(line[..<colon])
        fields[name] = String(line[line.index(after: colon)...].drop { $0 == " " })
      }
    }
    return fields
  }
}
