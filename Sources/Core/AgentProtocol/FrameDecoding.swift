extension Frame {
  /// Decodes a whole payload of the given type.
  init(type: FrameType, payload: [UInt8]) throws(FrameError) {
    var reader = PayloadReader(payload, type: type)
    switch type {
    case .stdin:
      self = .stdin(payload)
      return
    case .stdout:
      self = .stdout(payload)
      return
    case .stderr:
      self = .stderr(payload)
      return
    case .hello:
      self = .hello(Hello(version: try reader.u16(), kernelRelease: try reader.string()))
    case .exec:
      self = .exec(try Command(&reader))
    case .started:
      self = .started(pid: try reader.u32())
    case .endOfInput:
      self = .endOfInput
    case .credit:
      self = .credit(try reader.u32())
    case .signal:
      let number = try reader.byte()
      guard Frame.signals.contains(number) else { throw .malformed(type) }
      self = .signal(number)
    case .resize:
      self = .resize(WindowSize(rows: try reader.u16(), columns: try reader.u16()))
    case .exited:
      self = .exited(code: try reader.byte())
    case .signaled:
      let number = try reader.byte()
      guard Frame.endingSignals.contains(number) else { throw .malformed(type) }
      self = .signaled(number)
    case .failed:
      self = .failed(try Failure(&reader))
    case .shutdown:
      guard let mode = ShutdownMode(rawValue: try reader.byte()) else { throw .malformed(type) }
      self = .shutdown(mode)
    case .synced:
      self = .synced
    case .clock:
      let time = WallTime(seconds: try reader.u64(), nanoseconds: try reader.u32())
      guard time.nanoseconds < WallTime.nanosecondsOfASecond else { throw .malformed(type) }
      self = .clock(time)
    }
    try reader.finish()
  }
}

extension Command {
  fileprivate init(_ reader: inout PayloadReader) throws(FrameError) {
    var options = Options(rawValue: try reader.u16())
    let window = WindowSize(rows: try reader.u16(), columns: try reader.u16())
    let isLimited = options.remove(.limited) != nil
    guard Options.defined.isSuperset(of: options), try reader.u16() == 0 else { throw .reservedBits(.exec) }
    let user = try reader.string()
    let directory = try reader.string()
    let arguments = try reader.strings()
    guard !arguments.isEmpty else { throw .malformed(.exec) }
    self.init(
      arguments: arguments, environment: try reader.strings(), directory: directory, user: user, options: options,
      window: window)
    guard isLimited else { return }
    // As many as the payload has, whatever the count says.
    let count = try reader.u32()
    guard count > 0 else { throw .malformed(.exec) }
    for _ in 0..<count {
      let resource = try reader.byte()
      guard resource < ResourceLimit.resources else { throw .malformed(.exec) }
      limitRecords.append(resource)
      for _ in 1..<ResourceLimit.size { limitRecords.append(try reader.byte()) }
    }
  }
}

extension Failure {
  fileprivate init(_ reader: inout PayloadReader) throws(FrameError) {
    guard let kind = Kind(rawValue: try reader.byte()) else { throw .malformed(.failed) }
    guard try reader.byte() == 0, try reader.u16() == 0 else { throw .reservedBits(.failed) }
    self.init(kind: kind, errno: try reader.u32(), message: try reader.string())
  }
}
