import Devices
import GuestMemory
import Host

/// Does what a request says, with system calls that wait until it is done. On any thread.
struct DiskTransfer {
  private let file: DiskFile
  private let ignoresFlushes: Bool

  init(_ file: DiskFile, ignoresFlushes: Bool) {
    self.file = file
    self.ignoresFlushes = ignoresFlushes
  }

  /// Reads what is in the host's page cache; false where that is not all of it.
  func readCached(_ request: BlockRequest) -> Bool {
    guard case .read(let offset) = request.operation, let start = Int64(exactly: offset) else { return false }
    guard file.holdsInCache else { return false }
    let data = request.data
    let count = request.dataCount
    // Most have one piece, which takes no room for many. Guest RAM outlives the request.
    if data.count == 1 { return unsafe file.readCached(data[0].hostBytes, at: start) == count }
    var vectors = IOVectors()
    Self.fill(&vectors, data, from: 0)
    return vectors.byteCount == count && file.readCached(vectors, at: start) == count
  }

  /// Whether a request asks for nothing.
  func isNothing(_ request: BlockRequest) -> Bool { ignoresFlushes && request.operation == .flush }

  func perform(_ request: BlockRequest) -> BlockStatus {
    do throws(Errno) {
      switch request.operation {
      case .read(let offset): try move(request.data, offset, .read)
      case .write(let offset, let isDurable):
        try move(request.data, offset, .write(isDurable: isDurable && !ignoresFlushes))
      case .flush: try flush()
      case .discard(let offset, let count): try discard(offset, count)
      case .writeZeroes(let offset, let count, let mayDiscard, let isDurable):
        try writeZeroes(offset, count, mayDiscard)
        if isDurable { try flush() }
      }
      return .ok
    } catch {
      return .failed
    }
  }

  private func flush() throws(Errno) {
    if !ignoresFlushes { try file.flush() }
  }

  private func discard(_ offset: UInt64, _ count: UInt64) throws(Errno) {
    guard count > 0 else { return }
    // It is advice: where the host cannot follow it, nothing is lost.
    do throws(Errno) { try file.discard(offset: offset, count: count) } catch {
      if error != .notSupported { throw error }
    }
  }

  private func writeZeroes(_ offset: UInt64, _ count: UInt64, _ mayDiscard: Bool) throws(Errno) {
    guard count > 0 else { return }
    do throws(Errno) {
      if mayDiscard {
        try file.discard(offset: offset, count: count)
      } else {
        try file.zero(offset: offset, count: count)
      }
      return
    } catch {
      if error != .notSupported, error != .invalid { throw error }
    }
    let zeroes = try AlignedBuffer(min(Int(count), 1 << 20))
    var done: UInt64 = 0
    while done < count {
      let piece = zeroes.slice.dropping(0, count: Int(min(count - done, UInt64(zeroes.slice.count))))
      try move([piece], offset + done, .write(isDurable: false))
      done += UInt64(piece.count)
    }
  }

  private enum Direction {
    case read
    case write(isDurable: Bool)
  }

  /// Moves all of the data by as many calls as it takes.
  private func move(_ data: [GuestSlice], _ offset: UInt64, _ direction: Direction) throws(Errno) {
    let count = data.byteCount
    var done = 0
    while done < count {
      guard let start = Int64(exactly: offset &+ UInt64(done)) else { throw .fileTooLarge }
      do throws(Errno) {
        let moved: Int
        if data.count == 1 {
          moved = try call(data[0].dropping(done), start, direction)
        } else {
          var vectors = IOVectors()
          Self.fill(&vectors, data, from: done)
          switch direction {
          case .read: moved = try file.read(vectors, at: start)
          case .write(let isDurable): moved = try file.write(vectors, at: start, isDurable: isDurable)
          }
        }
        // The file has become shorter.
        if moved == 0 { throw .inputOutput }
        done += moved
      } catch {
        if error == .interrupted { continue }
        guard error == .invalid, file.isDirect, done == 0 else { throw error }
        // The guest's buffers need not begin where direct transfers must.
        return try bounce(data, start, direction)
      }
    }
  }

  private func bounce(_ data: [GuestSlice], _ start: Int64, _ direction: Direction) throws(Errno) {
    let count = data.byteCount
    let block = Int(file.blockSize)
    var done = 0
    let buffer = try AlignedBuffer(min(max(count, block), 1 << 20))
    while done < count {
      let room = buffer.slice.dropping(0, count: count - done)
      if case .write = direction { room.copy(from: data.bytes(at: done, count: room.count) ?? []) }
      let moved = try call(room, start + Int64(done), direction)
      if moved == 0 { throw .inputOutput }
      if case .read = direction { data.copy(from: room.dropping(0, count: moved).bytes(), at: done) }
      done += moved
    }
  }

  /// Moves one piece, or the beginning of it.
  private func call(_ piece: GuestSlice, _ start: Int64, _ direction: Direction) throws(Errno) -> Int {
    // It lives through the call.
    switch direction {
    case .read: try unsafe file.read(piece.hostBytes, at: start)
    case .write(let isDurable): try unsafe file.write(piece.hostBytes, at: start, isDurable: isDurable)
    }
  }

  private static func fill(_ vectors: inout IOVectors, _ data: [GuestSlice], from offset: Int) {
    // Guest RAM outlives the request.
    data.forEachPiece(from: offset, count: .max) { unsafe vectors.append($0.hostBytes) }
  }
}

/// Memory that begins on a page.
private struct AlignedBuffer {
  let slice: GuestSlice
  private let mapping: MemoryMapping

  init(_ count: Int) throws(Errno) {
    mapping = try MemoryMapping(anonymous: count)
    // The mapping lives as long as the slice, which nobody else keeps.
    let memory = GuestMemory(regions: [unsafe GuestMemory.Region(base: 0, bytes: mapping.bytes)])
    do throws(GuestMemoryError) { slice = try memory.slice(at: 0, count: count) } catch { throw .outOfMemory }
  }
}
