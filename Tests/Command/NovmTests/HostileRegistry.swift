import Foundation
import HostTesting

/// `Tests/Support/registry.py`, for as long as it lives.
final class HostileRegistry {
  private let server: PythonServer
  var port: Int { server.port }

  init() throws {
    let script = URL(filePath: #filePath).appending(path: "../../../Support/registry.py").standardizedFileURL.path
    server = try PythonServer([script])
  }

  /// Of each request: method, path, range, authorization.
  var log: [[String]] { server.log(most: 4) }

  func requests(_ part: String) -> Int { log.filter { $0[1].contains(part) }.count }

  func name(_ repository: String) -> String { "127.0.0.1:\(port)/\(repository):1" }
}
