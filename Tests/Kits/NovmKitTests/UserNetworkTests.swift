import Foundation
import HostTesting
import Testing

@testable import NovmKit

/// Which published ports are passt's.
struct UserNetworkTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test(arguments: [
    ("passt 0.0~git20230309.7c7625d-1\nCopyright", false), ("passt 2023_09_08.05627dc", false),
    ("passt 2024_09_06.6b38f07\n", true), ("passt 0.0~git20250503.587980c-2", true),
    ("passt 0^20240906.g6b38f07-1.fc39.x86_64", true), ("passt 2024_02_20.1e6f92b\n", false),
  ])
  func aVersionIsADay(_ words: String, _ isNew: Bool) throws {
    let version = try #require(PasstVersion(words))
    #expect((version >= .leadsInWell) == isNew)
  }

  @Test(arguments: [
    "", "passt unknown version", "passt 1.2.3", "passt 2024_2_20.1e6f92b", "passt 99999999", "passt 123456789",
    "passt unknown\n2024_02_20",
  ])
  func whatNamesNoDayIsNoVersion(_ words: String) { #expect(PasstVersion(words) == nil) }

  private func ports(_ texts: [String]) throws -> [PublishedPort] {
    try texts.map { try #require(PublishedPort($0)) }
  }

  /// A program in passt's place, which leaves a file where it was asked.
  private func program(saying words: String) throws -> String {
    let path = directory.path + "/passt"
    let script = "#!/bin/sh\ntouch \(directory.path)/asked\necho '\(words)'\n"
    try MadeProgram.write(path, script)
    return path
  }

  private var wasAsked: Bool { FileManager.default.fileExists(atPath: directory.path + "/asked") }

  @Test(arguments: [("passt unknown version", 0), ("passt 2023_03_09.7c7625d", 0), ("passt 2024_09_06.6b38f07", 2)])
  func portsAreThoseOfANewOne(_ words: String, _ count: Int) throws {
    let published = try ports(["53:53/udp", "8080:80", "/run/socket:80", "81:/run/socket"])
    let taken = try UserNetwork.ports(of: published, by: program(saying: words))
    #expect(taken == Array(published.prefix(count)) && wasAsked)
  }

  @Test func whatTheHostMayHaveNoAddressForIsNot() throws {
    let published = try ports(["8080:80"]).flatMap(\.listeners)
    let taken = try UserNetwork.ports(of: published, by: program(saying: "passt 2024_09_06.6b38f07"))
    #expect(taken.map(\.specification) == ["127.0.0.1/8080:80"])
  }

  @Test(arguments: [[], ["/run/socket:80"]])
  func nobodyIsAskedWithoutPorts(_ texts: [String]) throws {
    let taken = try UserNetwork.ports(of: ports(texts), by: program(saying: "passt 2024_09_06.6b38f07"))
    #expect(taken.isEmpty && !wasAsked)
  }
}
