import AgentProtocol

/// Frames on their way to the host.
struct OutputBuffer {
  /// Whole frames: the first one may have been sent in part.
  private var bytes: Bytes = []
  private var offset = 0

  /// Beyond this many unsent bytes nothing more is read from the command: the stream holds it back.
  static let highWater = 256 << 10

  var isEmpty: Bool { offset == bytes.count }
  var hasRoom: Bool { bytes.count - offset < Self.highWater }

  mutating func append(_ frame: Frame) {
    do throws(FrameError) { try frame.encode(into: &bytes) } catch {
      // Only a value that breaks the protocol's own rules cannot be encoded, and this side makes none.
      Log.error("a frame could not be encoded")
    }
  }

  /// Appends a frame that is encoded already.
  mutating func append(encoded: Bytes) { bytes.append(contentsOf: encoded) }

  /// Reads once from `descriptor` straight into a frame of `type`. Answers how many bytes; zero is the end of the file.
  mutating func appendOutput(_ type: FrameType, from descriptor: borrowing Descriptor) throws(SystemError) -> Int {
    let start = bytes.count
    FrameHeader(type: type, length: 0).encode(into: &bytes)
    do throws(SystemError) {
      let count = try descriptor.read(into: &bytes, limit: Agent.payloadLimit)
      if count == 0 {
        bytes.removeLast(bytes.count - start)
      } else {
        FrameHeader(type: type, length: UInt32(count)).encode(over: &bytes, at: start)
      }
      return count
    } catch {
      bytes.removeLast(bytes.count - start)
      throw error
    }
  }

  /// Writes what the descriptor takes.
  mutating func drain(into descriptor: borrowing Descriptor) throws(SystemError) {
    while !isEmpty {
      do throws(SystemError) { offset += try descriptor.write(bytes, from: offset) } catch {
        if error == .again || error == .interrupted { break }
        throw error
      }
    }
    if isEmpty {
      bytes.removeAll(keepingCapacity: bytes.count <= 2 * Self.highWater)
      offset = 0
    } else if offset >= Self.highWater {
      var start = 0
      while end(ofFrameAt: start) <= offset { start = end(ofFrameAt: start) }
      bytes.removeFirst(start)
      offset -= start
    }
  }
}

extension OutputBuffer {
  private func end(ofFrameAt start: Int) -> Int {
    guard start + FrameHeader.size <= bytes.count else { return bytes.count }
    // No frame of this side has more than 24 bits count.
    let length = Int(bytes[start + 4]) | Int(bytes[start + 5]) << 8 | Int(bytes[start + 6]) << 16
    return min(start + FrameHeader.size + length, bytes.count)
  }

  /// What has not been sent, for another host: output as far as it was not, the command's end, nothing of input.
  func rest() -> Bytes {
    var rest: Bytes = []
    var place = 0
    while place < bytes.count {
      let end = end(ofFrameAt: place)
      switch FrameType(rawValue: bytes[place]) {
      case .stdout?, .stderr?:
        let start = max(place + FrameHeader.size, offset)
        if start < end {
          let head = rest.count
          rest.append(contentsOf: bytes[place..<(place + FrameHeader.size)])
          for byte in 0..<3 { rest[head + 4 + byte] = UInt8(truncatingIfNeeded: (end - start) >> (8 * byte)) }
          rest.append(contentsOf: bytes[start..<end])
        }
      case .started?, .credit?: break
      default: rest.append(contentsOf: bytes[place..<end])
      }
      place = end
    }
    return rest
  }
}

extension Descriptor {
  func read(_ type: FrameType, into buffer: inout OutputBuffer) throws(SystemError) -> Int {
    try buffer.appendOutput(type, from: self)
  }

  func drain(_ buffer: inout OutputBuffer) throws(SystemError) { try buffer.drain(into: self) }
}
