import Changes
import Host

extension ChangesError {
  /// One line that names the thing and the mend; for obstacles the first ones.
  package var message: String {
    switch self {
    case .tree(let error): "the machine's layers are not what they were: \(error.description)"
    case .written(let error): error.message
    case .system(let operation, let path, let error):
      "\(String(printable: path)): cannot \(operation.rawValue) it: \(error.description)"
    case .obstacles(let obstacles):
      "nothing was applied: " + obstacles.prefix(5).map(\.message).joined(separator: "; ")
        + (obstacles.count > 5 ? "; and \(obstacles.count - 5) more" : "")
    }
  }
}

extension Obstacle {
  fileprivate var message: String {
    let path = String(printable: self.path)
    return switch reason {
    case .changedOnHost(let host):
      "\(String(printable: host)) was changed on the host since; look at it, or give --overwrite"
    case .notAHostDirectory: "\(path) is no directory's of the host to change; name the paths that are to be applied"
    case .notAFile:
      "\(path) is a device or socket, which no guest makes on the host; name the paths that are to be applied"
    }
  }
}
