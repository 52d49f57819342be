import Foundation

/// The current Debian cloud kernel as `apt-get` gives it, unpacked once below the package's build directory.
struct DebianKernel {
  let bzImage: [UInt8]
  let vmlinux: [UInt8]

  static let missing: String = "no Debian kernel to be had (apt-get download, dpkg-deb, and lz4, xz or zstd)"
  static let shared: DebianKernel? = try? DebianKernel()

  private struct Unavailable: Error {}

  private init() throws {
    let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../.build/test-kernels").standardizedFileURL
    let image = directory.appendingPathComponent("vmlinuz")
    let decompressed = directory.appendingPathComponent("vmlinux")
    if !FileManager.default.fileExists(atPath: decompressed.path) {
      try Self.fetch(into: directory, image: image, decompressed: decompressed)
    }
    bzImage = [UInt8](try Data(contentsOf: image))
    vmlinux = [UInt8](try Data(contentsOf: decompressed))
  }

  private static func fetch(into directory: URL, image: URL, decompressed: URL) throws {
    guard ["apt-get", "apt-cache", "dpkg-deb"].allSatisfy(Tool.exists) else { throw Unavailable() }
    let work = directory.appendingPathComponent("work-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: work) }

    // The metapackage names the kernel of the day.
    let depends = try Tool.run("apt-cache", ["depends", "linux-image-cloud-amd64"], in: work).output
    guard let name = depends.split(whereSeparator: \.isWhitespace).first(where: { $0.hasPrefix("linux-image-6") }),
      try Tool.run("apt-get", ["download", String(name)], in: work).status == 0
    else { throw Unavailable() }
    for package in try FileManager.default.contentsOfDirectory(atPath: work.path) where package.hasSuffix(".deb") {
      guard try Tool.run("dpkg-deb", ["-x", package, "root"], in: work).status == 0 else { throw Unavailable() }
    }
    let boot = work.appendingPathComponent("root/boot")
    guard
      let kernel = try FileManager.default.contentsOfDirectory(atPath: boot.path).first(where: {
        $0.hasPrefix("vmlinuz")
      })
    else { throw Unavailable() }
    let bytes = [UInt8](try Data(contentsOf: boot.appendingPathComponent(kernel)))

    // payload_offset and payload_length count from the protected-mode code; the last four bytes state the size.
    let start = (Int(bytes[0x1f1]) + 1) * 512 + Int(bytes.little(UInt32.self, at: 0x248))
    let payload = bytes[start..<(start + Int(bytes.little(UInt32.self, at: 0x24c)))]
    let tool: String
    switch payload.prefix(4) {
    case [0x02, 0x21, 0x4c, 0x18]: tool = "lz4"
    case [0xfd, 0x37, 0x7a, 0x58]: tool = "xz"
    case [0x28, 0xb5, 0x2f, 0xfd]: tool = "zstd"
    default: throw Unavailable()
    }
    try Data(tool == "xz" ? payload : payload.dropLast(4)).write(to: work.appendingPathComponent("payload"))
    guard Tool.exists(tool), try Tool.run("sh", ["-c", "\(tool) -dc < payload > vmlinux"], in: work).status == 0
    else { throw Unavailable() }
    try? FileManager.default.removeItem(at: image)
    try FileManager.default.moveItem(at: boot.appendingPathComponent(kernel), to: image)
    // Last: it says that the rest is there.
    try FileManager.default.moveItem(at: work.appendingPathComponent("vmlinux"), to: decompressed)
  }
}
