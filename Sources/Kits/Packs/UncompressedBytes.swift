import Glibc

/// What a compressed file holds, by any of the compressions that archives have; a file that is not compressed as it is.
package final class UncompressedBytes: ByteSource {
  private let input: ArchiveInput
  private let reader: TarReader
  private var chunk = [UInt8](repeating: 0, count: 1 << 17)
  private var isOpen = false

  /// - Parameter path: for errors.
  package init(_ input: ArchiveInput, path: [UInt8]) throws(PackError) {
    self.input = input
    reader = try TarReader(input, path: path, format: .raw)
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer) throws(PackError) -> Int {
    if !isOpen {
      isOpen = true
      guard try reader.next() != nil else { return 0 }
    }
    if chunk.count > buffer.count { chunk.removeLast(chunk.count - buffer.count) }
    let count = try reader.read(into: &chunk)
    unsafe buffer.copyBytes(from: chunk[..<count])
    return count
  }
}
