import CCompression

/// A bzImage, taken apart (Linux x86 boot protocol, Documentation/arch/x86/boot.rst).
package struct BzImage {
  /// The setup header: from offset 0x1f1 to where the jump at 0x200 lands.
  package let setupHeader: [UInt8]
  package let protocolVersion: UInt16
  /// The text at `kernel_version`: release, builder and date.
  package let versionText: String?
  package let payloadFormat: Compression
  /// The compressed kernel, without the size that the build appends to it.
  package let payload: Range<Int>
  /// The size of the decompressed kernel that the image promises.
  package let promisedSize: Int

  private let bytes: [UInt8]
  /// Where the image ends by its header; signatures follow.
  private let end: Int

  private static let headerOffset = 0x1F1
  private static let magicOffset = 0x202
  private static let magic: [UInt8] = Array("HdrS".utf8)
  /// Where a header of protocol 2.08 ends: `payload_length` is its last field.
  private static let minimumHeaderEnd = 0x250
  private static let flag64Bit: UInt16 = 1  // XLF_KERNEL_64
  /// Larger than any kernel; what a hostile payload may make us allocate.
  private static let largestKernel = 1 << 30

  package static func recognises(_ bytes: [UInt8]) -> Bool {
    bytes.hasPrefix(magic, at: magicOffset)
  }

  package init(_ bytes: [UInt8]) throws(ImageFault) {
    guard Self.recognises(bytes) else {
      // A boot sector, or an EFI application, cut before its header.
      if bytes.count < Self.magicOffset + 4, bytes.hasPrefix([0x4D, 0x5A]) {
        throw .truncated(needed: Self.minimumHeaderEnd, present: bytes.count)
      }
      throw .notAKernel
    }
    guard bytes.count >= Self.minimumHeaderEnd else {
      throw .truncated(needed: Self.minimumHeaderEnd, present: bytes.count)
    }
    let version = bytes.u16(at: 0x206) ?? 0
    guard version >= 0x208 else { throw .oldBootProtocol(version) }
    if version >= 0x20C, let flags = bytes.u16(at: 0x236), flags & Self.flag64Bit == 0 { throw .thirtyTwoBit }

    // 0x1f1: setup_sects, where 0 means 4. The protected-mode part follows the boot sector and that many more.
    let sectors = bytes[0x1F1] == 0 ? 4 : Int(bytes[0x1F1])
    let protectedMode = (sectors + 1) * 512
    // 0x1f4: syssize, in units of 16 bytes, rounded up.
    let end = protectedMode + Int(bytes.u32(at: 0x1F4) ?? 0) * 16
    guard bytes.count + 15 >= end else { throw .truncated(needed: end, present: bytes.count) }

    // 0x201 is the operand of a short jump from 0x202.
    let headerEnd = Self.magicOffset + Int(bytes[0x201])
    guard headerEnd >= Self.minimumHeaderEnd, headerEnd <= protectedMode, headerEnd <= bytes.count else {
      throw .truncated(needed: max(headerEnd, Self.minimumHeaderEnd), present: min(bytes.count, protectedMode))
    }

    let offset = protectedMode + Int(bytes.u32(at: 0x248) ?? 0)
    let length = Int(bytes.u32(at: 0x24C) ?? 0)
    guard length > 8, bytes.contains(range: offset, count: length) else {
      throw .truncated(needed: offset + max(length, 9), present: bytes.count)
    }
    guard let format = Compression(detecting: bytes, at: offset) else {
      throw .unknownPayload(Array(bytes[offset..<(offset + 8)]))
    }

    // gzip ends with the size of what it holds (ISIZE); for the others the build appends the same four bytes.
    promisedSize = Int(bytes.u32(at: offset + length - 4) ?? 0)
    payload = offset..<(offset + length - (format == .gzip ? 0 : 4))
    payloadFormat = format
    setupHeader = Array(bytes[Self.headerOffset..<headerEnd])
    protocolVersion = version
    let versionOffset = Int(bytes.u16(at: 0x20E) ?? 0)
    versionText = versionOffset == 0 ? nil : bytes.cString(at: versionOffset + 0x200, limit: 256)
    self.bytes = bytes
    self.end = end
  }

  /// The release: the first word of the version text.
  package var release: String? {
    versionText?.split(separator: " ").first.map(String.init)
  }

  /// Decompresses the kernel and checks it: size as promised, ELF as `KernelImage` wants it.
  package func kernel() throws(ImageFault) -> KernelImage {
    let limit = min(Self.largestKernel, promisedSize &+ (1 << 20))
    let image: [UInt8]
    do {
      image = try payloadFormat.decompress(bytes, payload, limit: limit)
    } catch .tooLarge {
      throw .payloadSize(expected: promisedSize, actual: limit)
    } catch {
      throw .compression(payloadFormat, error)
    }
    guard image.count == promisedSize else {
      throw .payloadSize(expected: promisedSize, actual: image.count)
    }
    let kernel = try KernelImage(image)
    // Last, since what finds a fault by itself says more of it.
    guard isAsBuilt else { throw .checksum }
    return kernel
  }

  /// Builds before Linux 6.15 end in a CRC-32 of all before it, and some payloads have no checksum of their own.
  ///
  /// Who signs an image for Secure Boot fills in the PE header's checksum and the place of the signatures
  /// (PE Format, "Optional Header"), which were zero when it was built.
  private var isAsBuilt: Bool {
    guard let release, KernelRelease(release) < KernelRelease("6.15-rc0"), bytes.count >= end else { return true }
    var image = Array(bytes[..<end])
    if let offset = image.u32(at: 0x3C).map(Int.init), image.hasPrefix(Array("PE\0\0".utf8), at: offset) {
      let optional = offset + 24
      let directories = image.u16(at: optional) == 0x20B ? optional + 112 : optional + 96
      for (field, size) in [(optional + 64, 4), (directories + 4 * 8, 8)]
      where image.contains(range: field, count: size) {
        image.replaceSubrange(field..<(field + size), with: repeatElement(0, count: size))
      }
    }
    // The build appends the remainder as it is, where zlib inverts it.
    return unsafe image.withUnsafeBufferPointer { unsafe crc32(0, $0.baseAddress, uInt($0.count)) } == 0xFFFF_FFFF
  }
}
