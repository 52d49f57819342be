import LittleEndian

/// A kernel of either form, as the loader sees it: what goes where, and how it can be entered.
package struct KernelImage {
  /// In order of address, without overlaps.
  package private(set) var segments: [LoadSegment]
  /// The addresses that nothing else may use: from the first segment to the last, and what decompression wants.
  package private(set) var footprint: Range<UInt64>
  package let setup: SetupHeader
  package private(set) var entries: Entries
  package let buildID: [UInt8]
  /// Where the file goes on behind an ELF image; nil for a bzImage, which moves itself.
  package let fileEnd: Int?

  /// Where each boot protocol enters; nil where the image does not offer it.
  package struct Entries {
    package var linux64: UInt64?
    package var pvh: UInt32?
    package var linux32: UInt32?
  }

  /// From the bytes of a vmlinux, with the setup header of the bzImage it came from where that is known, or of a
  /// bzImage.
  package init(_ file: Span<UInt8>, setup: SetupHeader? = nil) throws(BootError) {
    if file.field(UInt32.self, at: 0) == 0x464c_457f {
      self.init(try ELFImage(file), setup: setup)
    } else if file.field(UInt32.self, at: SetupHeader.Field.header.rawValue) == 0x5372_6448 {
      try self.init(bzImage: file)
    } else {
      throw .notELF
    }
  }

  package init(_ image: ELFImage, setup: SetupHeader? = nil) {
    segments = image.segments
    // ELFImage has at least one segment, none past the end of the address space.
    footprint = image.segments[0].address..<image.segments[image.segments.count - 1].end
    self.setup = setup ?? SetupHeader()
    buildID = image.buildID
    fileEnd = image.fileEnd
    // An ELF file says nothing of Linux's 64-bit protocol: believe it of what Linux's linker script made, and of images
    // that offer nothing else.
    let isLinux = setup != nil || image.isLinux || image.pvhEntry == nil
    entries = Entries(linux64: isLinux ? image.entry : nil, pvh: image.pvhEntry)
  }

  /// A bzImage decompresses itself: slower than an extracted vmlinux, but it needs no preparation (boot.rst, "Loading
  /// The Rest of The Kernel").
  private init(bzImage file: Span<UInt8>) throws(BootError) {
    let setup = try SetupHeader(file)
    let offset = (setup.setupSectors + 1) * 512
    guard offset < file.count else { throw .truncated(needed: UInt64(offset) + 1, size: UInt64(file.count)) }
    let size = UInt64(file.count - offset)
    let address = setup.isRelocatable ? setup.preferredAddress : 0x10_0000
    guard setup.isLoadedHigh, address >= 0x10_0000, address % 4096 == 0,
      let end = UInt32(exactly: address &+ max(size, UInt64(setup.initialSize))),  // neither size is over 2^63
      let entry = UInt32(exactly: address), entry < end
    else { throw .badSetupHeader }
    segments = [
      LoadSegment(
        fileOffset: UInt64(offset), fileSize: size, address: address, memorySize: size, isWritable: true,
        isExecutable: true)
    ]
    footprint = address..<UInt64(end)
    self.setup = setup
    entries = Entries(linux64: setup.has64BitEntry ? address + 0x200 : nil, linux32: entry)
    buildID = []
    fileEnd = nil
  }

  /// The kernel elsewhere in physical memory. Only in 64-bit mode it is entered wherever it lies.
  func moved(by offset: UInt64) throws(BootError) -> KernelImage {
    guard let entry = entries.linux64, fileEnd != nil else { throw .noUsableEntry }
    let (end, overflow) = footprint.upperBound.addingReportingOverflow(offset)
    guard !overflow else { throw .kernelOutsideRAM(address: offset) }
    var image = self
    // None lies beyond the footprint.
    for index in segments.indices { image.segments[index].address += offset }
    image.footprint = (footprint.lowerBound + offset)..<end
    image.entries = Entries(linux64: entry + offset)
    return image
  }
}
