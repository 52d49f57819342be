import Foundation
import HostTesting
import Testing

@testable import Download

/// Where one server sends to another.
@Suite(.timeLimit(.minutes(5)))
struct RedirectTests {
  private func follow(_ first: String, _ locations: String...) throws -> RedirectedAddress {
    var place = RedirectedAddress(first)
    for location in locations { try place.follow(location) }
    return place
  }

  @Test func origins() throws {
    #expect(try !follow("https://a.org/x", "https://A.org:443/y").isElsewhere)
    #expect(try !follow("http://a.org:80/x", "http://a.org?y").isElsewhere)
    for other in ["https://b.org/y", "https://a.org:444/y", "https://a.org.b.org/y"] {
      #expect(try follow("https://a.org/x", other).isElsewhere)
      // What was somewhere else comes back as somebody else's.
      #expect(try follow("https://a.org/x", other, "https://a.org/z").isElsewhere)
    }
    #expect(try follow("http://a.org/x", "https://a.org/y").isElsewhere)
  }

  @Test(arguments: [
    "http://a.org/y", "file:///etc/passwd", "", "/y", "https://me@b.org/", "https://b.org/ y", "https://b.org/\u{1B}",
    "https://127.0.0.1/", "https://localhost:5000/", "https://[::1]/", "https://169.254.169.254/x", "https:///x",
    "https://2130706433/",
  ])
  func refusals(location: String) throws {
    #expect(throws: FetchReport.Failure.self) { try follow("https://a.org/x", location) }
  }

  @Test func thisHost() throws {
    #expect(try follow("http://127.0.0.1:1/x", "http://localhost:2/y").isElsewhere)
    // One step more does not make it anybody else's.
    #expect(throws: FetchReport.Failure.self) { try follow("http://a.org/x", "http://b.org/y", "http://127.1/z") }
  }

  @Test func loops() throws {
    var place = RedirectedAddress("http://a.org/")
    for _ in 0..<RedirectedAddress.most { try place.follow("http://a.org/") }
    #expect(throws: FetchReport.Failure.self) { try place.follow("http://a.org/") }
  }

  /// Two servers that want to see certificates, and say what they see; the first sends to the other one.
  private static let script = """
    import http.server, ssl, sys, threading
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_): pass
        def do_GET(self):
            ports = [server.server_port for server in servers]
            places = {'/own': '/seen', '/away': f'https://127.0.0.1:{ports[1]}/seen', '/back': f'https://127.0.0.1:{ports[0]}/seen',
                      '/away-and-back': f'https://127.0.0.1:{ports[1]}/back'}
            body = f"{bool(self.connection.getpeercert())} {self.headers.get('Authorization')} {self.headers.get('Accept')}".encode()
            self.send_response(307 if self.path in places else 200)
            if self.path in places: self.send_header('Location', places[self.path])
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(sys.argv[1])
    servers = [http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) for _ in range(2)]
    for server in servers:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever).start()
    print(servers[0].server_port, flush=True)
    """

  @Test func whatIsForTheFirst() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("novm-redirects-\(UUID())").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let files = ["\(directory)/cert", "\(directory)/key"]
    let made = try Tool.run(
      "openssl",
      [
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1",
        "-out", files[0], "-keyout", files[1],
      ])
    #expect(made.status == 0)
    let server = try PythonServer(["-c", Self.script] + files)
    func seen(_ path: String, verifiesElsewhere: Bool = false, believes: Bool = false) throws -> String {
      var exchange = try Exchange("https://127.0.0.1:\(server.port)\(path)", limit: 100)
      exchange.fields = [.init("authorization", "Bearer x"), .init("Accept", "a/b")]
      exchange.trust.verifies = false
      exchange.trust.certificate = try [UInt8](Data(contentsOf: URL(filePath: files[0])))
      exchange.trust.key = try [UInt8](Data(contentsOf: URL(filePath: files[1])))
      exchange.verifiesElsewhere = verifiesElsewhere
      if believes { (exchange.trust.verifies, exchange.trust.authorities) = (true, exchange.trust.certificate) }
      let answer = try exchange.perform(by: try BuiltProgram.url("nofetch").path)
      #expect(answer.status == 200)
      return String(decoding: answer.body, as: UTF8.self)
    }
    for path in ["/seen", "/own"] { #expect(try seen(path) == "True Bearer x a/b") }
    for path in ["/away", "/away-and-back"] { #expect(try seen(path) == "False None a/b") }
    // The authority that is believed of the first vouches for others; nobody appears there as anybody all the same.
    #expect(try seen("/away", verifiesElsewhere: true, believes: true) == "False None a/b")
    do {
      _ = try seen("/away", verifiesElsewhere: true)
      Issue.record("believed")
    } catch let error as DownloadError {
      guard case .untrusted(_, let words) = error, words.hasPrefix("redirected to 127.0.0.1:") else { throw error }
    }
  }
}
