import CLinux
import Glibc

/// Memory in a file, and a file as memory.
extension MemoryMapping {
  private static let page = 4096
  /// Bytes of one write(2).
  private static let transfer = 1 << 20

  /// Writes what is not zero to its place in a file; the rest stays a hole.
  ///
  /// - Parameter start: where in the file the memory begins.
  package func write(to file: Int32, at start: UInt64) throws(Errno) {
    var place = 0
    while place < count {
      if isZero(place) {
        place += Self.page
        continue
      }
      var end = place + Self.page
      while end < count, end - place < Self.transfer, !isZero(end) { end += Self.page }
      while place < end {
        guard let offset = Int(exactly: start + UInt64(place)) else { throw Errno(EFBIG) }
        let written = try retryingInterrupts { unsafe pwrite(file, bytes.baseAddress! + place, end - place, offset) }
        guard written > 0 else { throw Errno(EIO) }
        place += written
      }
    }
  }

  /// Whether a page is all zeros: each of its bytes is the same as the one eight further on.
  private func isZero(_ place: Int) -> Bool {
    let start = unsafe bytes.baseAddress! + place
    return unsafe start.load(as: UInt64.self) == 0 && memcmp(start, start + 8, min(Self.page, count - place) - 8) == 0
  }

  /// Puts a file's data in the place of the memory, privately: what is written to it is seen by nobody else, and nothing is read
  /// before it is touched. Where the file has holes the memory stays as it is.
  ///
  /// Who cuts the file short ends the process that touches what is gone (SIGBUS).
  ///
  /// - Parameter start: where in the file the memory begins, a multiple of 4096; all of it lies within the file.
  package func replace(by file: Int32, at start: UInt64) throws(Errno) {
    let end = start + UInt64(count)
    let piece = pieceSize
    var place = start
    while place < end {
      let data: UInt64
      do throws(Errno) {
        data = try FileCalls.seek(file, place, whence: UInt32(clinux_SEEK_DATA))
      } catch Errno(ENXIO) {
        return
      }
      guard data < end else { return }
      let hole = min(try FileCalls.seek(file, data, whence: UInt32(clinux_SEEK_HOLE)), end)
      let first = start + (data - start) / piece * piece
      let last = min(start + (max(hole, data + 1) - start + piece - 1) / piece * piece, end)
      let target = unsafe bytes.baseAddress! + Int(first - start)
      let flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE
      let mapped = unsafe mmap(target, Int(last - first), PROT_READ | PROT_WRITE, flags, file, Int(first))
      if unsafe clinux_map_failed(mapped) != 0 { throw .current }
      place = last
    }
  }

  /// Bytes of which all or nothing is mapped: a process may have some 65,000 mappings, and this takes no more than 8,192.
  private var pieceSize: UInt64 {
    var size = UInt64(Self.hugePage)
    while UInt64(count) / size > 8192 { size <<= 1 }
    return size
  }
}
