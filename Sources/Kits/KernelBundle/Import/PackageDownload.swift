import Glibc
import Host

/// Fetches packages as the system's own package manager does, with its mirrors and its signatures.
struct PackageDownload {
  /// An existing, empty directory.
  let directory: String
  /// `apt-get`, or a stand-in with its command line.
  let tool: String

  /// `apt-get download`, which needs no privileges; the path of the package file.
  func fetch(_ package: String) throws(KernelBundleError) -> String {
    // A name may carry a version or a suite (name=1.2, name/stable), and nothing that apt-get takes for an option.
    guard let first = package.first, first.isLetter || first.isNumber else { throw .noSuchPackage(package) }
    let before = Set(try Files.names(in: directory))
    var arguments = ["download", "-q", package]
    // apt's own user could not write here, and says so.
    if getuid() == 0 { arguments += ["-o", "APT::Sandbox::User=root"] }
    let (status, message) = try run(tool, arguments)
    if status != 0 {
      if message.contains("Unable to locate") || message.contains("no candidate") || message.contains("was not found") {
        throw .noSuchPackage(package)
      }
      throw .toolFailed("\(tool) download", status: status, message: message)
    }
    guard let name = try Files.names(in: directory).first(where: { $0.hasSuffix(".deb") && !before.contains($0) })
    else { throw .noSuchPackage(package) }
    return "\(directory)/\(name)"
  }

  /// The exit status and the last line that the program wrote to stderr.
  private func run(_ tool: String, _ arguments: [String]) throws(KernelBundleError) -> (Int32, String) {
    // Standard error alone: apt-get draws its progress on standard output.
    let command = ["--chdir=\(directory)", "LC_ALL=C", tool] + arguments
    var text: [UInt8] = []
    var status: Int32 = 0
    do throws(Errno) {
      let errors = try Pipe()
      let identifier = try Spawn.start("/usr/bin/env", command.map { Array($0.utf8) }, errors: errors.writer.raw)
      let reader = errors.takeReader()
      var buffer = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = try reader.read(into: &buffer)
        if count == 0 { break }
        text += buffer[..<count]
      }
      try retryingInterrupts { unsafe waitpid(identifier, &status, 0) }
    } catch {
      throw .system(operation: .run, path: tool, error)
    }
    let code = status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
    if code == 127 { throw .toolMissing(tool) }
    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("W:") }
    return (code, String(lines.last ?? ""))
  }
}
