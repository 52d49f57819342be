/// Makes small ELF64 executables, right or wrong.
struct ELFFile {
  struct Program {
    var type: UInt32 = 1
    var flags: UInt32 = 5
    var offset: UInt64 = 0
    var virtualAddress: UInt64 = 0
    var physicalAddress: UInt64 = 0
    var fileSize: UInt64 = 0
    var memorySize: UInt64 = 0
    var alignment: UInt64 = 0x1000
  }

  var elfClass: UInt8 = 2
  var data: UInt8 = 1
  var type: UInt16 = 2
  var machine: UInt16 = 62
  var entry: UInt64 = 0x100_0000
  var programOffset: UInt64 = 64
  var programSize: UInt16 = 56
  var programCount: UInt16?
  var programs: [Program] = [
    Program(
      offset: 0x1000, virtualAddress: 0xffff_ffff_8100_0000, physicalAddress: 0x100_0000, fileSize: 0x800,
      memorySize: 0x2000)
  ]
  var size = 0x2000
  /// Laid at `notesOffset`, with a program header of their own.
  var notes: [UInt8] = []
  static let notesOffset = 0x1900

  static func note(_ owner: String, _ type: UInt32, _ descriptor: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(little: UInt32(owner.utf8.count + 1))
    bytes.append(little: UInt32(descriptor.count))
    bytes.append(little: type)
    bytes += Array(owner.utf8) + [0]
    while bytes.count % 4 != 0 { bytes.append(0) }
    bytes += descriptor
    while bytes.count % 4 != 0 { bytes.append(0) }
    return bytes
  }

  var bytes: [UInt8] {
    var programs = programs
    if !notes.isEmpty {
      let size = UInt64(notes.count)
      programs.append(
        Program(type: 4, offset: UInt64(Self.notesOffset), fileSize: size, memorySize: size, alignment: 4))
    }
    var bytes: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, elfClass, data, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    bytes.append(little: type)
    bytes.append(little: machine)
    bytes.append(little: UInt32(1))
    bytes.append(little: entry)
    bytes.append(little: programOffset)
    bytes.append(little: UInt64(0))
    bytes.append(little: UInt32(0))
    bytes.append(little: UInt16(64))
    bytes.append(little: programSize)
    bytes.append(little: programCount ?? UInt16(programs.count))
    bytes += [UInt8](repeating: 0, count: 6)
    for program in programs {
      bytes.append(little: program.type)
      bytes.append(little: program.flags)
      bytes.append(little: program.offset)
      bytes.append(little: program.virtualAddress)
      bytes.append(little: program.physicalAddress)
      bytes.append(little: program.fileSize)
      bytes.append(little: program.memorySize)
      bytes.append(little: program.alignment)
    }
    bytes += [UInt8](repeating: 0xcc, count: max(0, size - bytes.count))
    if !notes.isEmpty { bytes.replaceSubrange(Self.notesOffset..<(Self.notesOffset + notes.count), with: notes) }
    return bytes
  }
}

extension [UInt8] {
  mutating func append<T: FixedWidthInteger>(little value: T) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }

  func little<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T {
    withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: type)) }
  }
}
