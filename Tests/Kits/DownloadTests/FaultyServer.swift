import Foundation
import HostTesting

/// Serves 300,000 bytes in many ways, for as long as it lives.
final class FaultyServer {
  let contents = Data((0..<300_000).map { UInt8($0 * 7 % 251) })
  private let server: PythonServer
  var port: Int { server.port }

  private static let script = """
    import http.server, sys, time
    data = bytes(i * 7 % 251 for i in range(300000))
    seen = {}
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'
        def log_message(self, *_): pass
        def head(self, status, **fields):
            self.send_response(status)
            for name, value in fields.items(): self.send_header(name.replace('_', '-'), value)
            self.end_headers()
        def cut(self, status, start, length):
            self.head(status, Content_Length=len(data) - start, **(
                {'Content_Range': f'bytes {start}-{len(data) - 1}/{len(data)}'} if status == 206 else {}))
            self.wfile.write(data[start:start + length])
            self.close_connection = True
        def do_GET(self):
            name = self.path
            seen[name] = seen.get(name, 0) + 1
            wanted = self.headers.get('Range')
            with open('log', 'a') as log: print(name, wanted or '', file=log)
            start = int(wanted[6:-1]) if wanted else 0
            if name == '/file': self.cut(200, 0, len(data))
            elif name == '/redirect': self.head(302, Location='/file', Content_Length=0)
            elif name == '/loop': self.head(302, Location='/loop', Content_Length=0)
            elif name == '/to-file': self.head(302, Location='file:///etc/passwd', Content_Length=0)
            elif name == '/chunked':
                self.head(200, Transfer_Encoding='chunked')
                for at in range(0, len(data), 50000):
                    self.wfile.write(b'%x\\r\\n' % 50000 + data[at:at + 50000] + b'\\r\\n')
                self.wfile.write(b'0\\r\\n\\r\\n')
            elif name == '/cut': self.cut(200, 0, 1000)
            elif name == '/cut-twice': self.cut(200, 0, 1000 if seen[name] < 3 else len(data))
            elif name == '/cut-twice-more': self.cut(206 if start else 200, start, 100000 if seen[name] < 3 else len(data))
            elif name == '/cut-whole': self.cut(200, 0, 1000 if seen[name] < 2 else len(data))
            elif name == '/silent':
                self.head(200, Content_Length=len(data))
                self.wfile.write(data[:1000]); self.wfile.flush()
                time.sleep(5)
            elif name == '/busy' or name == '/busy-twice' and seen[name] < 3: self.head(503, Content_Length=0)
            elif name == '/busy-twice': self.cut(200, 0, len(data))
            elif name == '/endless':
                self.head(200)
                try:
                    while True: self.wfile.write(data)
                except OSError: pass
                self.close_connection = True
            else: self.head(404, Content_Length=0)
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
    """

  init() throws { server = try PythonServer(["-c", Self.script]) }

  private var log: [[String]] { server.log() }

  /// How often something was asked for.
  func requests(_ path: String) -> Int { log.filter { $0[0] == path }.count }

  /// The parts that were asked for.
  var ranges: [String] { log.filter { $0.count > 1 }.map { $0[1] } }
}
