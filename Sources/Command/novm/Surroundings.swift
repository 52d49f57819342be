import Glibc
import NovmKit
import Store

/// What a command finds around it: environment, working directory, the store, novm's other programs.
enum Surroundings {
  /// Refuses names of novm's own directories that are not text: it would make others beside them. A guest's may be any
  /// bytes.
  static func requireText() throws {
    let variables = [
      "NOVM_ROOT", "NOVM_KERNELS", "NOVM_INSTANCES", "NOVM_PACKS", "NOVM_LIBEXEC", "XDG_DATA_HOME", "XDG_RUNTIME_DIR",
      "HOME",
    ]
    for name in variables {
      guard let value = ByteString.environment(name), String(validating: value, as: UTF8.self) == nil else { continue }
      throw CommandFailure("\(name): '\(ByteString.string(value))' is not text (UTF-8); name another directory")
    }
  }

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
