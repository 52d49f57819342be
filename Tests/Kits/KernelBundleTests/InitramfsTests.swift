import Foundation
import HostTesting
import Testing

@testable import KernelBundle

struct InitramfsTests {
  private let noguest = Array("#!noguest, of an odd size".utf8)
  private let modules: [(fileName: String, image: [UInt8])] = [("one.ko", [1, 2, 3]), ("two.ko", [])]

  @Test(.needs(tool: "cpio")) func cpioReadsIt() throws {
    let directory = try TemporaryDirectory()
    let archive = Initramfs.archive(noguest: noguest, modules: modules)
    let listing = try Tool.run("cpio", ["-it", "--quiet"], input: archive)
    #expect(listing.status == 0)
    #expect(
      String(decoding: listing.output, as: UTF8.self).split(separator: "\n") == [
        "init", "dev", "proc", "sys", "root", "dev/console", "modules", "modules/one.ko", "modules/two.ko",
        "modules.order",
      ])
    // The device node needs root; all else unpacks as anyone.
    let unpacked = try Tool.run(
      "cpio", ["-id", "--quiet", "--nonmatching", "dev/console"], input: archive, in: directory.path)
    #expect(unpacked.status == 0)
    #expect(try directory.read("init") == noguest)
    #expect(try directory.read("modules/one.ko") == [1, 2, 3])
    #expect(try directory.read("modules/two.ko") == [])
    #expect(try directory.read("modules.order") == Array("one.ko\ntwo.ko\n".utf8))
    #expect(FileManager.default.isExecutableFile(atPath: "\(directory.path)/init"))
  }

  @Test(.needs(tool: "cpio")) func consoleIsADeviceNode() throws {
    let archive = Initramfs.archive(noguest: noguest, modules: [])
    let listing = try Tool.run("cpio", ["-itv", "--quiet"], input: archive)
    let line = String(decoding: listing.output, as: UTF8.self).split(separator: "\n").first {
      $0.hasSuffix("dev/console")
    }
    #expect(line?.hasPrefix("crw-------") == true)
    #expect(line?.contains("5,   1") == true)
  }

  @Test func equalContentsGiveEqualBytes() {
    #expect(
      Initramfs.archive(noguest: noguest, modules: modules) == Initramfs.archive(noguest: noguest, modules: modules))
  }

  @Test func anotherNoguestIsAsIfItHadBeenThereFromTheBeginning() {
    let archive = Initramfs.archive(noguest: noguest, modules: modules)
    #expect(Initramfs.replacing(noguest: noguest, in: archive) == archive)
    for size in [0, 1, 2, 3, 4, 1000] {
      let other = [UInt8](repeating: 9, count: size)
      #expect(
        Initramfs.replacing(noguest: other, in: archive) == Initramfs.archive(noguest: other, modules: modules))
    }
  }

  @Test func otherFilesAreNotTouched() {
    let archive = Initramfs.archive(noguest: noguest, modules: modules)
    #expect(Initramfs.replacing(noguest: noguest, in: []) == nil)
    for cut in 0..<(110 + 5 + noguest.count) {
      #expect(Initramfs.replacing(noguest: [], in: Array(archive[..<cut])) == nil)
    }
    var huge = archive
    huge.replaceSubrange((6 + 6 * 8)..<(6 + 7 * 8), with: Array("FFFFFFFF".utf8))
    #expect(Initramfs.replacing(noguest: [], in: huge) == nil)
  }
}
