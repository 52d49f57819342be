import Foundation
import HostTesting

/// Debian's current cloud kernel, unpacked once below the package's build directory.
struct DebianKernel {
  let bzImage: [UInt8]
  let vmlinux: [UInt8]

  static let shared: DebianKernel? = try? DebianKernel()

  private struct Unavailable: Error {}

  private init() throws {
    let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../../.build/test-kernels").standardizedFileURL
    let image = directory.appendingPathComponent("vmlinuz")
    let decompressed = directory.appendingPathComponent("vmlinux")
    if !FileManager.default.fileExists(atPath: decompressed.path) {
      try Self.fetch(into: directory, image: image, decompressed: decompressed)
    }
    bzImage = [UInt8](try Data(contentsOf: image))
    vmlinux = [UInt8](try Data(contentsOf: decompressed))
  }

  private static func fetch(into directory: URL, image: URL, decompressed: URL) throws {
    guard let package = DebianKernels.cloud else { throw Unavailable() }
    let work = directory.appendingPathComponent("work-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: work) }
    guard try Tool.run("dpkg-deb", ["-x", package, "root"], in: work.path).status == 0 else { throw Unavailable() }
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
    guard Tool.exists(tool), try Tool.run("sh", ["-c", "\(tool) -dc < payload > vmlinux"], in: work.path).status == 0
    else { throw Unavailable() }
    try? FileManager.default.removeItem(at: image)
    try FileManager.default.moveItem(at: boot.appendingPathComponent(kernel), to: image)
    // Last: it says that the rest is there.
    try FileManager.default.moveItem(at: work.appendingPathComponent("vmlinux"), to: decompressed)
  }
}
