import Glibc
import NovmKit
import Store

/// What a command finds around it: environment, working directory, the store, novm's other programs.
enum Surroundings {
  /// The environment, as far as it is text.
  static let environment: [String: String] = {
    var variables: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
      let text = String(cString: entry)
      if let equals = text.firstIndex(of: "=") {
        variables[String(text[..<equals])] = String(text[equals...].dropFirst())
      }
      next += 1
    }
    return variables
  }()

  static var paths: StorePaths { .current(environment: environment) }

  static var programs: InstalledPrograms { .current(environment: environment) }

  /// The working directory, whose name need not be text.
  static var workingDirectory: [UInt8] {
    guard let path = getcwd(nil, 0) else { return Array("/".utf8) }
    defer { free(path) }
    return UnsafeRawBufferPointer(start: path, count: strlen(path)).map { $0 }
  }
}
