import LittleEndian

/// The descriptor table that the kernel starts with: null, unused, code, data, and a task state segment of two entries.
enum GlobalDescriptorTable {
  static let size = 6 * 8

  static func bytes(code: SegmentDescriptor) -> [UInt8] {
    var bytes: [UInt8] = []
    for entry in [0, 0, code.encoded, SegmentDescriptor.data.encoded, SegmentDescriptor.task.encoded, 0] {
      bytes.append(field: entry)
    }
    return bytes
  }
}
