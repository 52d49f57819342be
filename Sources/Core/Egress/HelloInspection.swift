/// The first bytes that a client sends to a server, held until they say which one is meant.
///
/// What lies in them may be sent again, but only as it was: otherwise the server might be told another name than we were.
struct HelloInspection {
  private enum State {
    case collecting, told
  }

  private var state = State.collecting
  private(set) var bytes: [UInt8] = []
  /// The sequence number of the first byte.
  private let start: UInt32

  /// A record's header and its most; the record may be cut, so that some more are allowed for.
  private static let limit = ClientHello.limit + 64

  init(start: UInt32) { self.start = start }

  enum Verdict: Equatable {
    case pass
    /// Lost on the way: its sender tries again.
    case drop
    /// The hello is whole, and what it says.
    case decide(ClientHello)
    case refuse
  }

  /// Takes the data of a segment.
  mutating func take(_ data: [UInt8], sequence: UInt32) -> Verdict {
    if data.isEmpty { return .pass }
    let offset = Int(Int32(bitPattern: sequence &- start))
    // From before the first byte comes a keep-alive, which needs no answer.
    guard offset >= 0 else { return .drop }
    guard offset <= bytes.count else { return state == .told ? .pass : .drop }
    let known = min(bytes.count - offset, data.count)
    guard bytes[offset..<offset + known].elementsEqual(data[..<known]) else { return .refuse }
    if state == .told { return .pass }
    guard known < data.count else { return .pass }
    let new = data[known...]
    let room = Self.limit - bytes.count
    // What is behind a whole hello in its segment need not be held.
    bytes += new.prefix(room)
    let hello = ClientHello(bytes)
    if hello == .incomplete { return new.count > room ? .refuse : .pass }
    state = .told
    return .decide(hello)
  }

  /// Whether the server has all of it, so that none can be sent again.
  func isTaken(by acknowledgement: UInt32) -> Bool {
    state == .told && Int(Int32(bitPattern: acknowledgement &- start)) >= bytes.count
  }
}
