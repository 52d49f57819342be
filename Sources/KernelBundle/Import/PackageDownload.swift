import Foundation
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
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [tool] + arguments
    process.currentDirectoryURL = URL(fileURLWithPath: directory)
    process.environment = ProcessInfo.processInfo.environment.merging(["LC_ALL": "C"]) { _, ours in ours }
    let errors = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = errors
    do { try process.run() } catch { throw .toolMissing(tool) }
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    if process.terminationStatus == 127 { throw .toolMissing(tool) }
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("W:") }
    return (process.terminationStatus, String(lines.last ?? ""))
  }
}
