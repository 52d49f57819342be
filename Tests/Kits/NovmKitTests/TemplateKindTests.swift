import Foundation
import Host
import HostTesting
import Testing

@testable import NovmKit

/// What is one kind of machine, and what is another.
struct TemplateKindTests {
  private let scratch: TemporaryDirectory
  private let kernel: KernelFiles

  init() throws {
    scratch = try TemporaryDirectory()
    kernel = KernelFiles(
      name: "k", release: "6.1.0", image: scratch.path + "/vmlinux", initramfs: scratch.path + "/initramfs")
    for path in [kernel.image, scratch.path + "/initramfs", scratch.path + "/novmm"] {
      #expect(FileManager.default.createFile(atPath: path, contents: Data([1])))
    }
  }

  private func key(_ body: (inout MachineRequest) throws -> Void = { _ in }) throws -> String {
    var request = MachineRequest()
    request.reads = [TreeMap(guest: "/", host: scratch.path)]
    try body(&request)
    let machine = request.compose(kernel: kernel, scratch: "/scratch")
    return TemplateKind(machine, DeviceLayout(machine), novmm: scratch.path + "/novmm").key
  }

  @Test func whatAMachineIsForIsNoPartOfIt() throws {
    let plain = try key()
    #expect(plain.count == 64)
    #expect(try key() == plain)
    let other = try key {
      $0.reads.append(TreeMap(guest: "/usr", host: "/usr"))
      $0.hostname = "other"
      $0.temporaries = [try TemporaryMap(parsing: "/mnt")]
      $0.hides = [Array("/home".utf8)]
      $0.confinement = .off
      $0.verbose = true
    }
    #expect(other == plain)
  }

  @Test func whatItsGuestHasSeenIs() throws {
    var keys = Set([try key()])
    keys.insert(try key { $0.memory = MemorySize(mebibytes: 300) })
    keys.insert(try key { $0.transport = .pci })
    keys.insert(try key { $0.hasBalloon = false })
    keys.insert(try key { $0.commandLine = Array("nokaslr".utf8) })
    keys.insert(try key { $0.shares = [TreeShare(TreeMap(guest: "/src", host: scratch.path), isReadOnly: true)] })
    keys.insert(try key { $0.shares = [TreeShare(TreeMap(guest: "/file", host: kernel.image))] })
    #expect(keys.count == 7)
  }

  @Test func whoseMemoryIsTooLargeBoots() {
    var request = MachineRequest()
    request.reads = [TreeMap(guest: "/", host: scratch.path)]
    func obstacle() -> String? { request.templateObstacle(request.compose(kernel: kernel, scratch: "/scratch")) }
    request.memory = MemorySize(mebibytes: 64 << 10)
    #expect(obstacle() == nil)
    request.memory = MemorySize(mebibytes: (64 << 10) + 1)
    #expect(obstacle() == "its memory is too large")
  }

  @Test func whatTheVariableSays() throws {
    #expect(try TemplateChoice.of(variable: nil) == .off)
    #expect(try TemplateChoice.of(variable: "") == .off)
    for choice in TemplateChoice.allCases { #expect(try TemplateChoice.of(variable: choice.rawValue) == choice) }
    #expect(throws: NovmError.templateChoice("atuo")) { try TemplateChoice.of(variable: "atuo") }
  }

  @Test(arguments: ["vmlinux", "initramfs", "novmm"])
  func filesThatAreWrittenToAreOthers(_ name: String) throws {
    let before = try key()
    let file = try #require(FileHandle(forWritingAtPath: "\(scratch.path)/\(name)"))
    file.write(Data([2, 3]))
    try file.close()
    #expect(try key() != before)
  }
}
