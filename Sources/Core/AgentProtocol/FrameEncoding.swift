extension Frame {
  /// The frame as bytes.
  package func encoded() throws(FrameError) -> [UInt8] {
    var bytes: [UInt8] = []
    try encode(into: &bytes)
    return bytes
  }

  /// Appends the frame to `bytes`; leaves them as they were if it throws.
  ///
  /// Throws ``FrameError/oversized(_:length:)`` for a payload beyond the type's limit, and
  /// ``FrameError/malformed(_:)`` for a value that no decoder would take, such as a string with a NUL.
  package func encode(into bytes: inout [UInt8]) throws(FrameError) {
    let start = bytes.count
    FrameHeader(type: type, length: 0).encode(into: &bytes)
    let whole = encodePayload(into: &bytes)
    let length = bytes.count - start - FrameHeader.size
    guard whole, length <= type.payloadLimit else {
      bytes.removeLast(bytes.count - start)
      throw whole ? .oversized(type, length: UInt32(clamping: length)) : .malformed(type)
    }
    FrameHeader(type: type, length: UInt32(length)).encode(over: &bytes, at: start)
  }

  /// Appends the payload, and says whether the value has one.
  private func encodePayload(into bytes: inout [UInt8]) -> Bool {
    switch self {
    case .hello(let hello):
      bytes.append(little: hello.version)
      return bytes.append(string: hello.kernelRelease)
    case .exec(let command):
      return command.encode(into: &bytes)
    case .started(let pid):
      bytes.append(little: pid)
    case .stdin(let data), .stdout(let data), .stderr(let data):
      bytes.append(contentsOf: data)
    case .credit(let count):
      bytes.append(little: count)
    case .signal(let number):
      bytes.append(number)
      return Self.signals.contains(number)
    case .signaled(let number):
      bytes.append(number)
      return Self.endingSignals.contains(number)
    case .resize(let window):
      bytes.append(little: window.rows)
      bytes.append(little: window.columns)
    case .exited(let code):
      bytes.append(code)
    case .failed(let failure):
      bytes.append(failure.kind.rawValue)
      bytes.append(0)
      bytes.append(little: UInt16(0))
      bytes.append(little: failure.errno)
      return bytes.append(string: failure.message)
    case .shutdown(let mode):
      bytes.append(mode.rawValue)
    case .clock(let time):
      bytes.append(little: time.seconds)
      bytes.append(little: time.nanoseconds)
      return time.nanoseconds < WallTime.nanosecondsOfASecond
    case .endOfInput, .synced:
      break
    }
    return true
  }

  /// What kill(2) takes: the numbers of signal(7), real-time ones included.
  static let signals: ClosedRange<UInt8> = 1...64
  /// What a wait status can hold (waitpid(2), WTERMSIG).
  static let endingSignals: ClosedRange<UInt8> = 1...127
}

extension Command {
  fileprivate func encode(into bytes: inout [UInt8]) -> Bool {
    bytes.append(little: options.union(limitRecords.isEmpty ? [] : .limited).rawValue)
    bytes.append(little: window.rows)
    bytes.append(little: window.columns)
    bytes.append(little: UInt16(0))
    guard Options.defined.isSuperset(of: options), !arguments.isEmpty else { return false }
    guard bytes.append(string: user), bytes.append(string: directory) else { return false }
    guard bytes.append(strings: arguments), bytes.append(strings: environment) else { return false }
    guard !limitRecords.isEmpty else { return true }
    bytes.append(little: UInt32(limitRecords.count / ResourceLimit.size))
    bytes.append(contentsOf: limitRecords)
    return true
  }
}

extension [UInt8] {
  mutating func append(little value: UInt16) {
    append(UInt8(truncatingIfNeeded: value))
    append(UInt8(truncatingIfNeeded: value >> 8))
  }

  mutating func append(little value: UInt32) {
    append(little: UInt16(truncatingIfNeeded: value))
    append(little: UInt16(truncatingIfNeeded: value >> 16))
  }

  mutating func append(little value: UInt64) {
    append(little: UInt32(truncatingIfNeeded: value))
    append(little: UInt32(truncatingIfNeeded: value >> 32))
  }

  /// Appends a u32 length and the bytes, and says whether they are a string: without NUL, and short enough to count.
  fileprivate mutating func append(string: [UInt8]) -> Bool {
    guard let length = UInt32(exactly: string.count), !string.contains(0) else { return false }
    append(little: length)
    append(contentsOf: string)
    return true
  }

  fileprivate mutating func append(strings: [[UInt8]]) -> Bool {
    guard let count = UInt32(exactly: strings.count) else { return false }
    append(little: count)
    for string in strings {
      guard append(string: string) else { return false }
    }
    return true
  }
}
