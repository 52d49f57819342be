import CCurl
import Download
import Glibc
import Host

/// One connection after another for one file.
///
/// Safe: the handle is this value's alone, and what it keeps pointers to (this value, for its callbacks) outlives each
/// `run`; strings are copied by libcurl.
@safe final class Transfer {
  private let download: Download
  private let file: Int32
  private let reports: ReportWriter
  private let handle: UnsafeMutableRawPointer
  /// Bytes in the file.
  private var count: UInt64 = 0
  private var start: UInt64 = 0
  private var failure: FetchReport.Failure?

  /// libcurl's own state, made once.
  private static let library: CURLcode = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

  init(_ order: FetchOrder, _ reports: ReportWriter) throws(FetchReport.Failure) {
    download = order.download
    file = order.file
    self.reports = reports
    guard let handle = unsafe Self.handle(for: download.address, silence: download.silence) else {
      throw .connection("libcurl cannot be used")
    }
    unsafe self.handle = unsafe handle
    unsafe ccurl_set_number(handle, CURLOPT_FAILONERROR, 1)
    // What began in secret stays so.
    unsafe ccurl_set_text(handle, CURLOPT_REDIR_PROTOCOLS_STR, download.isSecure ? "https" : "http,https")
    unsafe ccurl_set_number(handle, CURLOPT_FOLLOWLOCATION, 1)
    unsafe ccurl_set_number(handle, CURLOPT_MAXREDIRS, RedirectedAddress.most)
    let client = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe ccurl_set_pointer(handle, CURLOPT_WRITEDATA, client)
    unsafe ccurl_set_pointer(handle, CURLOPT_XFERINFODATA, client)
    _ = unsafe ccurl_set_write(handle) { bytes, size, number, client in
      guard let client = unsafe client else { return 0 }
      return unsafe Unmanaged<Transfer>.fromOpaque(client).takeUnretainedValue()
        .write(UnsafeRawBufferPointer(start: bytes, count: size * number))
    }
    _ = unsafe ccurl_set_progress(handle) { client, total, _, _, _ in
      guard let client = unsafe client else { return 1 }
      return unsafe Unmanaged<Transfer>.fromOpaque(client).takeUnretainedValue().tell(of: total) ? 0 : 1
    }
  }

  deinit { unsafe curl_easy_cleanup(handle) }

  /// A connection to be: what holds for every server.
  ///
  /// - Parameter silence: after so many seconds without a byte it counts as cut.
  static func handle(for address: String, silence: Int) -> UnsafeMutableRawPointer? {
    guard library == CURLE_OK, let handle = unsafe curl_easy_init() else { return nil }
    unsafe ccurl_set_text(handle, CURLOPT_URL, address)
    unsafe ccurl_set_text(handle, CURLOPT_USERAGENT, "novm")
    unsafe ccurl_set_text(handle, CURLOPT_PROTOCOLS_STR, "http,https")
    unsafe ccurl_set_number(handle, CURLOPT_NOSIGNAL, 1)
    unsafe ccurl_set_number(handle, CURLOPT_CONNECTTIMEOUT, 30)
    unsafe ccurl_set_number(handle, CURLOPT_LOW_SPEED_LIMIT, 1)
    unsafe ccurl_set_number(handle, CURLOPT_LOW_SPEED_TIME, silence)
    unsafe ccurl_set_number(handle, CURLOPT_NOPROGRESS, 0)
    return unsafe handle
  }

  /// Drops what has come so far.
  func startOver() throws(FetchReport.Failure) {
    do throws(Errno) {
      try FileCalls.truncate(file, to: 0)
    } catch {
      throw .write(error)
    }
    count = 0
  }

  /// Fetches what is missing.
  ///
  /// - Returns: a failure that may be another's next time.
  /// - Throws: one that will not.
  func run() throws(FetchReport.Failure) -> FetchReport.Failure? {
    start = count
    unsafe ccurl_set_offset(handle, CURLOPT_RESUME_FROM_LARGE, curl_off_t(count))
    let code = unsafe curl_easy_perform(handle)
    if let failure { throw failure }
    var status = 0
    _ = unsafe ccurl_get_number(handle, CURLINFO_RESPONSE_CODE, &status)
    let words = unsafe String(cString: curl_easy_strerror(code))
    switch code {
    case CURLE_OK:
      reports.progress(count, of: count)
      return nil
    case CURLE_HTTP_RETURNED_ERROR:
      let error = FetchReport.Failure.status(status)
      // Asked for what is behind the end: the file is another one now.
      if status == 416, start > 0 {
        try startOver()
        return error
      }
      guard status >= 500 || status == 429 || status == 408 else { throw error }
      return error
    case CURLE_RANGE_ERROR:
      // It gives the whole or nothing.
      try startOver()
      return .cut(words)
    case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_OPERATION_TIMEDOUT,
      CURLE_HTTP2, CURLE_HTTP2_STREAM:
      return .cut(words)
    case CURLE_COULDNT_CONNECT: return .connection(words)
    default: throw .connection(words)
    }
  }

  private func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    if count + UInt64(bytes.count) > download.limit {
      failure = .tooLarge
      return 0
    }
    var written = 0
    while written < bytes.count {
      let step = unsafe pwrite(
        file, bytes.baseAddress! + written, bytes.count - written, off_t(count) + off_t(written))
      if step < 0, Errno.current == .interrupted { continue }
      guard step > 0 else {
        failure = .write(step < 0 ? .current : .inputOutput)
        return 0
      }
      written += step
    }
    count += UInt64(bytes.count)
    return bytes.count
  }

  /// - Returns: false once nobody is left to fetch it for.
  private func tell(of total: curl_off_t) -> Bool {
    reports.progress(count, of: total > 0 ? start.addingReportingOverflow(UInt64(total)).partialValue : nil)
    return !reports.isAbandoned
  }
}
