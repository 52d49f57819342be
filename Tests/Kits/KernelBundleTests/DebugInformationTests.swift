import Host
import HostTesting
import Testing

@testable import KernelBundle

struct DebugInformationTests {
  private let directory: TemporaryDirectory
  private let image: String
  private let release = Synthetic.release

  init() throws {
    directory = try TemporaryDirectory()
    image = try directory.write("bundle/vmlinux", Synthetic.kernel())
  }

  /// A vmlinux with a section of this name.
  private func vmlinux(_ section: String = ".debug_info", buildID: UInt8 = 0xAB) -> [UInt8] {
    var file = Synthetic.kernel()
    if let place = file.indices.first(where: { file[$0...].starts(with: [0xAB, 0xCD, 0xEF, 0x01]) }) {
      file[place] = buildID
    }
    let names = Array("\0.shstrtab\0\(section)\0".utf8)
    let start = file.count
    file += names
    let table = file.count
    for (index, name) in [0, 1, 11].enumerated() {
      file.lay(UInt32(name), at: table + 64 * index)
      file.lay(UInt64(start), at: table + 64 * index + 24)
      file.lay(UInt64(names.count), at: table + 64 * index + 32)
      file.lay(UInt64(1), at: table + 64 * index + 56)
    }
    file.lay(UInt64(table), at: 40)
    file.lay(UInt16(64), at: 58)
    file.lay(UInt16(3), at: 60)
    file.lay(UInt16(1), at: 62)
    return file
  }

  private func places(_ path: String) throws -> [String: String] {
    let places = try DebugInformation("\(directory.path)/\(path)", release: release, image: image).places
    return Dictionary(
      uniqueKeysWithValues: places.map { ($0.guest, String($0.host.dropFirst(directory.path.count + 1))) })
  }

  private func fault(_ path: String) -> DebugInformation.Fault? {
    #expect(throws: DebugInformation.Fault.self) { _ = try places(path) }
  }

  @Test func aFileIsWhereToolsLook() throws {
    try directory.write("vmlinux", vmlinux())
    #expect(try places("vmlinux") == ["/usr/lib/debug/boot/vmlinux-\(release)": "vmlinux"])
  }

  @Test func aBuildIsWhereAnInstalledKernelHasIt() throws {
    try directory.write("linux/vmlinux", vmlinux())
    #expect(
      try places("linux") == [
        "/lib/modules/\(release)/build": "linux", "/usr/lib/debug/boot/vmlinux-\(release)": "linux/vmlinux",
      ])
  }

  @Test func whatADistributionHasApartIsWhereItPutsIt() throws {
    // Debian's, a package of it unpacked, and Fedora's, which not all tools know.
    try directory.write("debug/boot/vmlinux-\(release)", vmlinux())
    #expect(try places("debug") == ["/usr/lib/debug": "debug"])
    try directory.write("package/usr/lib/debug/boot/vmlinux-\(release)", vmlinux())
    #expect(try places("package") == ["/usr/lib/debug": "package/usr/lib/debug"])
    let fedora = "fedora/lib/modules/\(release)/vmlinux"
    try directory.write(fedora, vmlinux())
    #expect(try places("fedora") == ["/usr/lib/debug": "fedora", "/usr/lib/debug/boot/vmlinux-\(release)": fedora])
  }

  @Test func whatIsNotTheKernelsIsRefused() throws {
    #expect(fault("nothing") == .notThere(.notFound))
    try directory.write("empty/boot/vmlinux-6.0", vmlinux())
    #expect(fault("empty") == .noKernel(release: release))
    try directory.write("text", Array("text".utf8))
    #expect(fault("text") == .notELF)
    #expect(fault("bundle/vmlinux") == DebugInformation.Fault.none)
    try directory.write("stripped", vmlinux(".debug_infos"))
    #expect(fault("stripped") == DebugInformation.Fault.none)
    try directory.write("other", vmlinux(buildID: 0xAC))
    #expect(fault("other") == .otherBuild("accdef01", booted: "abcdef01"))
  }

  /// Headers of sections that say anything.
  @Test func whatLiesIsNoInformation() throws {
    for (offset, bytes) in [(40, 8), (58, 2), (60, 2), (62, 2)] {
      var file = vmlinux()
      for place in offset..<(offset + bytes) { file[place] = 0xFF }
      try directory.write("liar", file)
      #expect(fault("liar") == DebugInformation.Fault.none, "\(offset)")
    }
  }
}
