import Foundation
import HostTesting

@testable import KernelBundle

/// Little-endian fields into a growing file.
extension [UInt8] {
  mutating func lay(_ value: some FixedWidthInteger, at offset: Int) {
    let bytes = (0..<(value.bitWidth / 8)).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    if count < offset + bytes.count { append(contentsOf: repeatElement(0, count: offset + bytes.count - count)) }
    replaceSubrange(offset..<(offset + bytes.count), with: bytes)
  }
}

/// The smallest files that are what they say.
enum Synthetic {
  static let release = "6.1.0-test"

  /// A kernel of one loaded segment and one of notes.
  static func kernel(
    release: String? = release, strings: [String] = [], configuration: [UInt8] = [], pvh: UInt64? = 0x100_0040,
    hasACPI: Bool = true
  ) -> [UInt8] {
    var notes: [UInt8] = note("GNU", 3, [0xAB, 0xCD, 0xEF, 0x01])
    if let pvh { notes += note("Xen", 18, (0..<8).map { UInt8(truncatingIfNeeded: pvh >> (8 * $0)) }) }
    var body: [UInt8] = [0]
    body += Array("Linux version %s\n\0".utf8)
    if let release { body += Array("Linux version \(release) (someone@somewhere) #1 SMP\n\0".utf8) }
    if hasACPI { body += Array("acpi_osi=\0".utf8) }
    for string in strings { body += Array(string.utf8) + [0] }
    if !configuration.isEmpty { body += Array("IKCFG_ST".utf8) + configuration + Array("IKCFG_ED".utf8) }
    // Not too little, and not the same byte throughout: to be worth compressing.
    body += (0..<20_000).map { UInt8(truncatingIfNeeded: $0 * $0 >> 7) }

    var file = header(type: 2, entry: 0x100_0000)
    file.lay(UInt64(64), at: 32)
    file.lay(UInt16(56), at: 54)
    file.lay(UInt16(2), at: 56)
    let start = 64 + 2 * 56
    segment(&file, 0, type: 1, offset: start, address: 0x100_0000, size: body.count + notes.count)
    segment(&file, 1, type: 4, offset: start + body.count, address: 0x100_0000, size: notes.count)
    return file + body + notes
  }

  /// A bzImage around a payload: boot sector with the setup header, one setup sector with the version, then the payload.
  static func bzImage(
    payload: [UInt8], size: Int, appendSize: Bool, protocolVersion: UInt16 = 0x20F, flags: UInt16 = 1,
    release: String? = release
  ) -> [UInt8] {
    var payload = payload
    if appendSize { payload.lay(UInt32(truncatingIfNeeded: size), at: payload.count) }
    let lead = 0x40
    var image = [UInt8](repeating: 0, count: 1024)
    image[0x1F1] = 1
    let size = (lead + payload.count + 4 + 15) / 16 * 16
    image.lay(UInt32(size / 16), at: 0x1F4)
    image.lay(UInt16(0xAA55), at: 0x1FE)
    image[0x200] = 0xEB
    image[0x201] = 0x6A
    image.replaceSubrange(0x202..<0x206, with: Array("HdrS".utf8))
    image.lay(protocolVersion, at: 0x206)
    if let release {
      image.lay(UInt16(0x100), at: 0x20E)
      let text = Array("\(release) (someone@somewhere) #1 SMP\0".utf8)
      image.replaceSubrange(0x300..<(0x300 + text.count), with: text)
    }
    image.lay(flags, at: 0x236)
    image.lay(UInt32(lead), at: 0x248)
    image.lay(UInt32(payload.count), at: 0x24C)
    image += [UInt8](repeating: 0x90, count: lead) + payload
    image += [UInt8](repeating: 0, count: 1024 + size - 4 - image.count)
    image.lay(remainder(image), at: image.count)
    return image
  }

  /// CRC-32 without the inversion at its end, bit by bit.
  private static func remainder(_ bytes: [UInt8]) -> UInt32 {
    var value: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
      value ^= UInt32(byte)
      for _ in 0..<8 { value = value >> 1 ^ (value & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
    return value
  }

  /// A module with these strings in its `.modinfo`.
  static func module(_ strings: [String], exports: [String] = []) -> [UInt8] {
    let sections: [(name: String, bytes: [UInt8])] = [
      (".modinfo", strings.flatMap { Array($0.utf8) + [0] }),
      ("__ksymtab_strings", exports.flatMap { Array($0.utf8) + [0] }),
    ]
    var names: [UInt8] = [0]
    var file = header(type: 1, entry: 0)
    var headers: [(name: Int, type: UInt32, offset: Int, size: Int)] = [(0, 0, 0, 0)]
    for section in sections {
      headers.append((names.count, 1, file.count, section.bytes.count))
      names += Array(section.name.utf8) + [0]
      file += section.bytes
    }
    headers.append((names.count, 3, file.count, 0))
    names += Array(".shstrtab\0".utf8)
    headers[headers.count - 1].size = names.count
    file += names
    let table = file.count
    for (index, header) in headers.enumerated() {
      let at = table + 64 * index
      file.lay(UInt32(header.name), at: at)
      file.lay(header.type, at: at + 4)
      file.lay(UInt64(header.offset), at: at + 24)
      file.lay(UInt64(header.size), at: at + 32)
      file.lay(UInt64(1), at: at + 56)
    }
    file.lay(UInt64(table), at: 40)
    file.lay(UInt16(64), at: 58)
    file.lay(UInt16(headers.count), at: 60)
    file.lay(UInt16(headers.count - 1), at: 62)
    return file
  }

  static func module(
    named name: String, depends: [String] = [], _ more: [String] = [], exports: [String] = []
  ) -> [UInt8] {
    module(
      ["name=\(name)", "depends=\(depends.joined(separator: ","))", "vermagic=\(release) SMP mod_unload "] + more,
      exports: exports)
  }

  /// The modules of a machine, named and depending on each other as Linux has them.
  static let guestModules: [(path: String, depends: [String])] = [
    ("kernel/drivers/virtio/virtio_ring", []), ("kernel/drivers/virtio/virtio", ["virtio_ring"]),
    ("kernel/drivers/virtio/virtio_mmio", ["virtio", "virtio_ring"]), ("kernel/fs/fuse/fuse", []),
    ("kernel/fs/fuse/virtiofs", ["fuse", "virtio_ring", "virtio"]), ("kernel/net/vmw_vsock/vsock", []),
    ("kernel/net/vmw_vsock/vmw_vsock_virtio_transport_common", ["vsock"]),
    ("kernel/net/vmw_vsock/vmw_vsock_virtio_transport", ["vmw_vsock_virtio_transport_common", "vsock", "virtio"]),
    ("kernel/drivers/char/hw_random/rng-core", []),
    ("kernel/drivers/char/hw_random/virtio-rng", ["rng-core", "virtio"]),
  ]

  /// A modules directory for `guestModules`.
  static func moduleTree(in directory: TemporaryDirectory, _ name: String = "modules", without: Set<String> = []) throws
    -> String
  {
    for (path, depends) in guestModules {
      let module = ModuleInfo.normalised(String(path.split(separator: "/").last!))
      if without.contains(module) { continue }
      try directory.write("\(name)/\(path).ko", Self.module(named: module, depends: depends))
    }
    try directory.write("\(name)/modules.builtin", "kernel/drivers/char/virtio_console.ko\nkernel/fs/ext4/ext4.ko\n")
    return "\(directory.path)/\(name)"
  }

  static func header(type: UInt16, entry: UInt64) -> [UInt8] {
    var file = [UInt8](repeating: 0, count: 64)
    file.replaceSubrange(0..<7, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1])
    file.lay(type, at: 16)
    file.lay(UInt16(62), at: 18)
    file.lay(UInt32(1), at: 20)
    file.lay(entry, at: 24)
    return file
  }

  static func segment(
    _ file: inout [UInt8], _ index: Int, type: UInt32, offset: Int, address: UInt64, size: Int
  ) {
    let at = 64 + 56 * index
    file.lay(type, at: at)
    file.lay(UInt32(7), at: at + 4)
    file.lay(UInt64(offset), at: at + 8)
    file.lay(0xFFFF_FFFF_8000_0000 + address, at: at + 16)
    file.lay(address, at: at + 24)
    file.lay(UInt64(size), at: at + 32)
    file.lay(UInt64(size), at: at + 40)
    file.lay(UInt64(0x1000), at: at + 48)
  }

  private static func note(_ name: String, _ type: UInt32, _ payload: [UInt8]) -> [UInt8] {
    var note: [UInt8] = []
    note.lay(UInt32(name.utf8.count + 1), at: 0)
    note.lay(UInt32(payload.count), at: 4)
    note.lay(type, at: 8)
    note += Array(name.utf8) + [0]
    note += [UInt8](repeating: 0, count: -note.count & 3)
    note += payload
    note += [UInt8](repeating: 0, count: -note.count & 3)
    return note
  }
}

extension Compression {
  /// The program that makes such files, as the kernel's build calls it.
  var tool: (name: String, arguments: [String]) {
    switch self {
    case .gzip: ("gzip", ["-n", "-9", "-c"])
    case .xz: ("xz", ["--check=crc32", "--x86", "--lzma2=,dict=8MiB", "-c"])
    case .zstd: ("zstd", ["-22", "--ultra", "-q", "-c"])
    case .lz4: ("lz4", ["-l", "-9", "-q", "-c"])
    case .lzma: ("lzma", ["-9", "-c"])
    case .bzip2: ("bzip2", ["-9", "-c"])
    case .lzo: ("lzop", ["-9", "-c"])
    }
  }

  func compress(_ bytes: [UInt8]) throws -> [UInt8] {
    try Tool.run(tool.name, tool.arguments, input: bytes).output
  }

  static var testable: [Compression] { allCases.filter { Tool.exists($0.tool.name) } }
}
