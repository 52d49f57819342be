import CCurl
import Download
import Glibc
import Host

/// One connection after another for one answer.
///
/// The head is told once, before the first byte of the body; an answer that will be asked for again is not told at all. Where a
/// connection was cut, the next one brings the rest, or all of it, of which what came before is passed over.
///
/// Safe: the handle is this value's alone, and what it keeps pointers to (this value, for its callbacks) outlives each `run`;
/// strings and certificates are copied by libcurl, and the lists of fields live as long as the handle.
@safe final class ExchangeTransfer {
  /// How an attempt went that is worth another.
  struct Setback {
    var failure: FetchReport.Failure
    /// Milliseconds that the server asks to wait.
    var pause: UInt64?
  }

  private let exchange: Exchange
  private let answer: Int32
  private let reports: ReportWriter
  private let handle: UnsafeMutableRawPointer
  private let fields: UnsafeMutablePointer<curl_slist>?
  /// Those for a server to which the first one redirects.
  private let fieldsElsewhere: UnsafeMutablePointer<curl_slist>?
  /// Bytes of the body that were passed on.
  private(set) var count: UInt64 = 0
  /// As many as there were when this attempt began.
  private var start: UInt64 = 0
  /// Of the body that comes, bytes that were passed on before.
  private var known: UInt64 = 0
  /// Bytes of what is sent that were taken.
  private var sent: UInt64 = 0
  /// Of an answer's body, bytes that nobody has a use for.
  private var unwanted: UInt64 = 0
  /// The answer is none that goes on: nothing of its body is part of what was asked for.
  private var isRefusal = false
  private var isHeadTold = false
  private var isLast = false
  private var failure: FetchReport.Failure?
  private var status = 0
  private var answered: [(name: String, value: String)] = []
  private var headBytes = 0

  /// What is of use to a client of registries.
  private static let wanted: Set<String> = [
    "www-authenticate", "docker-content-digest", "location", "range", "oci-chunk-min-length",
  ]
  private static let mostHeadBytes = 256 << 10
  private static let mostFields = 16
  /// A server that asks for longer is told of.
  private static let longestPause: UInt64 = 60_000

  init(_ order: ExchangeOrder, _ reports: ReportWriter) throws(FetchReport.Failure) {
    exchange = order.exchange
    answer = order.answer
    self.reports = reports
    guard let handle = unsafe Transfer.handle(for: exchange.address, silence: exchange.silence) else {
      throw .connection("libcurl cannot be used")
    }
    unsafe self.handle = unsafe handle
    unsafe fields = unsafe Self.list(exchange.fields)
    unsafe fieldsElsewhere = unsafe Self.list(exchange.fields.filter { $0.name.lowercased() != "authorization" })
    // Where a redirect leads is looked at here first: libcurl takes certificates along.
    unsafe ccurl_set_number(handle, CURLOPT_FOLLOWLOCATION, 0)
    prepareMethod()
    let client = unsafe Unmanaged.passUnretained(self).toOpaque()
    for option in [CURLOPT_WRITEDATA, CURLOPT_HEADERDATA, CURLOPT_READDATA, CURLOPT_XFERINFODATA] {
      unsafe ccurl_set_pointer(handle, option, client)
    }
    _ = unsafe ccurl_set_header(handle) { bytes, size, number, client in
      guard let client = unsafe client else { return 0 }
      return unsafe Unmanaged<ExchangeTransfer>.fromOpaque(client).takeUnretainedValue()
        .take(head: UnsafeRawBufferPointer(start: bytes, count: size * number))
    }
    _ = unsafe ccurl_set_write(handle) { bytes, size, number, client in
      guard let client = unsafe client else { return 0 }
      return unsafe Unmanaged<ExchangeTransfer>.fromOpaque(client).takeUnretainedValue()
        .take(body: UnsafeRawBufferPointer(start: bytes, count: size * number))
    }
    _ = unsafe ccurl_set_read(handle) { bytes, size, number, client in
      guard let client = unsafe client else { return 0 }
      return unsafe Unmanaged<ExchangeTransfer>.fromOpaque(client).takeUnretainedValue()
        .fill(UnsafeMutableRawBufferPointer(start: bytes, count: size * number))
    }
    _ = unsafe ccurl_set_progress(handle) { client, _, _, _, _ in
      guard let client = unsafe client else { return 1 }
      return unsafe Unmanaged<ExchangeTransfer>.fromOpaque(client).takeUnretainedValue().reports.isAbandoned ? 1 : 0
    }
  }

  deinit {
    unsafe curl_easy_cleanup(handle)
    unsafe curl_slist_free_all(fields)
    unsafe curl_slist_free_all(fieldsElsewhere)
  }

  private static func list(_ fields: [Exchange.Field]) -> UnsafeMutablePointer<curl_slist>? {
    var list: UnsafeMutablePointer<curl_slist>?
    // libcurl would wait for a word before it sends much (RFC 9110, 10.1.1).
    for field in fields.map({ "\($0.name): \($0.value)" }) + ["Expect:"] {
      unsafe list = curl_slist_append(list, field)
    }
    return unsafe list
  }

  private func prepareMethod() {
    switch exchange.method {
    case .get: return
    case .head: unsafe ccurl_set_number(handle, CURLOPT_NOBODY, 1)
    case .post, .put, .patch:
      unsafe ccurl_set_number(handle, CURLOPT_UPLOAD, 1)
      unsafe ccurl_set_text(handle, CURLOPT_CUSTOMREQUEST, exchange.method.rawValue)
      unsafe ccurl_set_offset(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(clamping: contentSize))
    }
  }

  /// Addresses the server that is asked next, with what is for it.
  private func address(_ place: RedirectedAddress) {
    var trust = exchange.trust
    if place.isElsewhere {
      (trust.certificate, trust.key) = ([], [])
      trust.verifies = exchange.verifiesElsewhere
    }
    unsafe ccurl_set_text(handle, CURLOPT_URL, place.address)
    unsafe ccurl_set_number(handle, CURLOPT_SSL_VERIFYPEER, trust.verifies ? 1 : 0)
    unsafe ccurl_set_number(handle, CURLOPT_SSL_VERIFYHOST, trust.verifies ? 2 : 0)
    for (option, bytes) in [
      (CURLOPT_CAINFO_BLOB, trust.authorities), (CURLOPT_SSLCERT_BLOB, trust.certificate),
      (CURLOPT_SSLKEY_BLOB, trust.key),
    ] {
      if bytes.isEmpty {
        unsafe ccurl_set_pointer(handle, option, nil)
      } else {
        _ = unsafe bytes.withUnsafeBytes { unsafe ccurl_set_blob(handle, option, $0.baseAddress, $0.count) }
      }
    }
    unsafe ccurl_set_list(handle, CURLOPT_HTTPHEADER, place.isElsewhere ? fieldsElsewhere : fields)
  }

  private var contentSize: UInt64 {
    switch exchange.content {
    case .none: 0
    case .bytes(let bytes): UInt64(bytes.count)
    case .file(_, let range): UInt64(range.count)
    }
  }

  /// Asks for what is missing.
  ///
  /// - Parameter isLast: whether there is no further attempt.
  /// - Throws: what will be the same next time.
  func run(isLast: Bool) throws(FetchReport.Failure) -> Setback? {
    self.isLast = isLast
    (start, known) = (count, count)
    // A range of its own making: libcurl's would take a server that has only the whole for one that fails.
    if count > 0 { unsafe ccurl_set_text(handle, CURLOPT_RANGE, "\(count)-") }
    let begin = Timer.now
    var place = RedirectedAddress(exchange.address)
    while true {
      (status, answered, headBytes, sent, unwanted, isRefusal) = (0, [], 0, 0, 0, false)
      address(place)
      if exchange.time > 0 {
        let left = exchange.time * 1000 - Int(clamping: (Timer.now - begin) / 1_000_000)
        unsafe ccurl_set_number(handle, CURLOPT_TIMEOUT_MS, max(left, 1))
      }
      let code = unsafe curl_easy_perform(handle)
      if let failure { throw failure }
      guard code == CURLE_OK, redirects, let location else { return try outcome(code, at: place) }
      try place.follow(location)
    }
  }

  /// Whether the answer is where else to ask.
  private var redirects: Bool {
    (exchange.method == .get || exchange.method == .head) && [301, 302, 303, 307, 308].contains(status)
      && answered.contains { $0.name == "location" && !$0.value.isEmpty }
  }

  /// Where that is, whole.
  private var location: String? {
    var text: UnsafePointer<CChar>?
    guard unsafe ccurl_get_text(handle, CURLINFO_REDIRECT_URL, &text) == CURLE_OK, let text = unsafe text else {
      return nil
    }
    return unsafe String(cString: text)
  }

  private func outcome(_ code: CURLcode, at place: RedirectedAddress) throws(FetchReport.Failure) -> Setback? {
    let way = place.isFirst ? "" : "redirected to \(HostName.authority(of: place.address)): "
    let words = unsafe way + String(cString: curl_easy_strerror(code))
    switch code {
    case CURLE_OK: return try end()
    // Of a refusal there is enough.
    case CURLE_WRITE_ERROR where isRefusal: return try end()
    case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_OPERATION_TIMEDOUT,
      CURLE_HTTP2, CURLE_HTTP2_STREAM:
      if isRefusal { return try end() }
      if isHeadTold, !exchange.resumes, count > 0 { throw .cut(words) }
      return Setback(failure: .cut(words))
    case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
      // It was there before: a network that comes back.
      if exchange.resumes, count > 0 { return Setback(failure: .connection(words)) }
      throw .connection(words)
    case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM:
      throw .untrusted(words)
    default: throw .connection(words)
    }
  }

  /// What an answer means of which all has come that is wanted.
  private func end() throws(FetchReport.Failure) -> Setback? {
    if mayComeAgain { return Setback(failure: .status(status), pause: pauseAsked) }
    if start > 0, status == 401 {
      // Tokens end in the middle, too: whoever asked is told what this one wants, and begins anew.
      isHeadTold = false
    } else if start > 0 {
      guard (200..<300).contains(status) else { throw .status(status) }
      guard known == 0 else { throw .cut("the server has less of it than before") }
    }
    tellHead()
    return nil
  }

  /// An answer of a server that may give another one later.
  private var mayComeAgain: Bool {
    !isLast && [408, 429, 500, 502, 503, 504].contains(status) && (pauseAsked ?? 0) <= Self.longestPause
  }

  private var pauseAsked: UInt64? {
    answered.first { $0.name == "retry-after" }.flatMap { UInt64($0.value) }.map {
      $0.multipliedReportingOverflow(by: 1000).partialValue
    }
  }

  // MARK: What comes

  private func take(head bytes: UnsafeRawBufferPointer) -> Int {
    headBytes += bytes.count
    guard headBytes <= Self.mostHeadBytes else {
      failure = .connection("the head of its answer is longer than \(Self.mostHeadBytes >> 10) KiB")
      return 0
    }
    let line = unsafe String(decoding: bytes, as: UTF8.self)
    if line.hasPrefix("HTTP/") {
      // Of the next answer, behind a proxy's or one that only says to wait (RFC 9110, 15.2).
      status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
      answered = []
    } else if let colon = line.firstIndex(of: ":"), answered.count < Self.mostFields {
      let name = line[..<colon].lowercased()
      let value = line[line.index(after: colon)...].drop { $0.isWhitespace }
      if Self.wanted.contains(name) || name == "retry-after" || name == "content-range" {
        answered.append((name, String(value.reversed().drop { $0.isWhitespace }.reversed())))
      }
    }
    return bytes.count
  }

  private func tellHead() {
    if isHeadTold { return }
    isHeadTold = true
    reports.send(.head(status))
    for field in answered where Self.wanted.contains(field.name) && field.value.utf8.count < FetchReport.limit - 64 {
      reports.send(.field(field.name, field.value))
    }
  }

  /// - Returns: what was taken; something else ends the attempt (CURLE_WRITE_ERROR).
  private func take(body bytes: UnsafeRawBufferPointer) -> Int {
    // Words that nobody reads.
    if redirects {
      unwanted += UInt64(bytes.count)
      if unwanted <= Exchange.wordsLimit { return bytes.count }
      failure = .connection("the server redirects with more than \(Exchange.wordsLimit >> 10) KiB of words")
      return 0
    }
    guard !mayComeAgain, (200..<300).contains(status) else {
      isRefusal = true
      // What it says of why not: once, not for ever, and not among what somebody takes for the thing itself.
      if !mayComeAgain, start == 0, exchange.wantsWords {
        tellHead()
        let room = Exchange.wordsLimit - min(count, Exchange.wordsLimit)
        guard unsafe pass(UnsafeRawBufferPointer(rebasing: bytes.prefix(Int(room)))) else { return 0 }
      }
      unwanted += UInt64(bytes.count)
      return unwanted <= Exchange.wordsLimit ? bytes.count : 0
    }
    var rest = unsafe bytes
    if known > 0 {
      if status == 206 {
        guard let range = answered.first(where: { $0.name == "content-range" })?.value,
          range.hasPrefix("bytes \(count)-")
        else {
          failure = .cut("the server sent another part than the one that was asked for")
          return 0
        }
        known = 0
      } else {
        let passed = min(UInt64(rest.count), known)
        known -= passed
        unsafe rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(Int(passed)))
      }
    }
    if count.addingReportingOverflow(UInt64(rest.count)).partialValue > exchange.limit {
      failure = .tooLarge
      return 0
    }
    if unsafe !rest.isEmpty { tellHead() }
    return unsafe pass(rest) ? bytes.count : 0
  }

  private func pass(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var written = 0
    while written < bytes.count {
      let step = unsafe Glibc.write(answer, bytes.baseAddress! + written, bytes.count - written)
      if step < 0, Errno.current == .interrupted { continue }
      guard step > 0 else {
        failure = .write(step < 0 ? .current : .inputOutput)
        return false
      }
      written += step
    }
    count += UInt64(bytes.count)
    return true
  }

  // MARK: What is sent

  private func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
    switch exchange.content {
    case .none: return 0
    case .bytes(let bytes):
      let piece = bytes[Int(sent)...].prefix(buffer.count)
      unsafe buffer.copyBytes(from: piece)
      sent += UInt64(piece.count)
      return piece.count
    case .file(let file, let range):
      let wanted = min(buffer.count, range.count - Int(sent))
      let got = unsafe pread(file, buffer.baseAddress, wanted, off_t(range.lowerBound + sent))
      // CURL_READFUNC_ABORT.
      guard got >= 0, got > 0 || wanted == 0 else { return 0x1000_0000 }
      sent += UInt64(got)
      return got
    }
  }

}
