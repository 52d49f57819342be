import Glibc
import Host

/// One request to a web server and its answer (RFC 9110), by a process of its own: the program `nofetch`, which alone reads
/// what a server says. It knows this server's secrets and no other's.
///
/// A server that fails, goes silent or cuts the connection is tried again, after what it asks for (`Retry-After`) or a pause
/// that doubles.
package struct Exchange: Equatable, Sendable {
  package enum Method: String, Sendable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
  }

  package struct Field: Equatable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  /// What is sent.
  package enum Content: Equatable, Sendable {
    case none
    /// A form or the like: text.
    case bytes([UInt8])
    /// A piece of an open file.
    case file(Int32, Range<UInt64>)
  }

  /// Whom to believe, beside the system's certificates, and as whom to appear. PEM. Authorities vouch for a server to which this
  /// one redirects, too, as they do for Docker and Podman; nobody appears there as anybody.
  package struct Trust: Equatable, Sendable {
    /// False where anybody may be the server.
    package var verifies = true
    package var authorities: [UInt8] = []
    package var certificate: [UInt8] = []
    package var key: [UInt8] = []

    package init() {}
  }

  package var method = Method.get
  package let address: String
  package var fields: [Field] = []
  package var trust = Trust()
  /// Whether another server has to prove who it is, to which this one redirects: it is told and shown nothing that is for this one.
  package var verifiesElsewhere = true
  package var content = Content.none
  /// Bytes that may come.
  package var limit: UInt64
  /// Whether the rest may be asked for where a connection was cut: what the whole must be is known.
  package var resumes = false
  /// Whether what a server says in place of what was asked for comes as the body; not where that is read as it comes.
  package var wantsWords = true
  package var attempts = 4
  /// Before the second attempt, in milliseconds; twice as long before each further one.
  package var pause: UInt32 = 1000
  /// After so many seconds without a byte a connection counts as cut.
  package var silence = 30
  /// Seconds that one attempt may take; 0 for as long as it goes on.
  package var time = 0

  package init(_ address: String, limit: UInt64) throws(DownloadError) {
    guard Download.isAddress(address), address.utf8.count <= Download.addressLimit, !address.utf8.contains(0) else {
      throw .badAddress(Download.shown(address))
    }
    self.address = address
    self.limit = limit
  }

  /// Whether it says what it is meant to: a NUL ends a part of an ``ExchangeOrder``, and a line's end a field. What fields say a
  /// server may have said before.
  var canBeSaid: Bool {
    fields.allSatisfy { "\($0.name)\($0.value)".utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f } }
      && ![trust.authorities, trust.certificate, trust.key, text].contains { $0.contains(0) }
  }

  private var text: [UInt8] { if case .bytes(let text) = content { text } else { [] } }

  /// An answer, whatever its status.
  package struct Answer: Equatable, Sendable {
    package var status: Int
    package var fields: [Field] = []
    package var body: [UInt8] = []

    package init(status: Int) { self.status = status }

    /// The first field of a name, which is in lower case.
    package func field(_ name: String) -> String? { fields.first { $0.name == name }?.value }
    package var isSuccess: Bool { (200..<300).contains(status) }
  }

  /// Asks, and waits for all of the answer.
  package func perform(by program: String) throws(DownloadError) -> Answer {
    let exchange: RunningExchange
    let reader: FileDescriptor
    do throws(Errno) {
      let pipe = try Pipe()
      exchange = try RunningExchange(self, by: program, body: pipe.writer.raw)
      reader = pipe.takeReader()
    } catch {
      throw .program(program, error)
    }
    var body: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    var isTelling = true
    while true {
      let count: Int
      do throws(Errno) {
        // Both at once: whoever fills a small pipe of reports says nothing in the other one before somebody has read them.
        var states = [
          pollfd(fd: reader.raw, events: Int16(POLLIN), revents: 0),
          pollfd(fd: isTelling ? exchange.descriptor : -1, events: Int16(POLLIN), revents: 0),
        ]
        try checked(unsafe poll(&states, 2, -1))
        if states[1].revents != 0 { isTelling = exchange.step() }
        if states[0].revents == 0 { continue }
        count = try reader.read(into: &buffer)
      } catch {
        if error == .interrupted { continue }
        throw .program(program, error)
      }
      if count == 0 { break }
      body += buffer[..<count]
      // What the program says of it is not to be relied on.
      guard UInt64(body.count) <= max(limit, Self.wordsLimit) else {
        throw .tooLarge(address: Download.shown(address), limit: limit)
      }
    }
    var answer = try exchange.finish()
    answer.body = body
    return answer
  }

  /// Bytes of what a server says in place of what was asked for.
  package static let wordsLimit: UInt64 = 64 << 10
}
