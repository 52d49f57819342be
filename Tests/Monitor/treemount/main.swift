// Mounts a layered tree on this host through /dev/fuse, to try the server with real programs and against the kernel's own
// overlayfs, without a machine:
//
//   treemount MOUNTPOINT [--read GUEST=>HOST]... [--write GUEST=>HOST]... [--share GUEST=>HOST]...
//             [--cache none|auto|always] [--hide GUEST]... [--recorded] [--threads N] [--no-writeback]
//             [--opens] [--trace] [--count] [--record FILE]
//
// It runs until MOUNTPOINT is unmounted. --opens has it told of every open, --count tells in the end how many requests of which
// kind came. --record writes what the kernel asked as a seed for the fuzzer (Fuzz/record). Needs root.

import FUSE
import FileSystem
import Foundation
import GuestMemory
import Host

func die(_ message: String) -> Never {
  FileHandle.standardError.write(Data("treemount: \(message)\n".utf8))
  exit(1)
}

func map(_ text: String) -> LayerMap {
  guard let arrow = text.range(of: "=>") else { return LayerMap(guestPath: "/", hostPath: text) }
  return LayerMap(guestPath: String(text[..<arrow.lowerBound]), hostPath: String(text[arrow.upperBound...]))
}

var mountPoint = ""
var reads: [LayerMap] = []
var writes: [LayerMap] = []
var shares: [LayerMap] = []
var caching = Caching.auto
var hides: [String] = []
var ownership = Ownership.forThisUser
var threads = 2
let service = Service()
var counts = false
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
  switch argument {
  case "--read": reads.append(map(arguments.popFirst() ?? ""))
  case "--write": writes.append(map(arguments.popFirst() ?? ""))
  case "--share": shares.append(map(arguments.popFirst() ?? ""))
  case "--cache": caching = Caching(rawValue: arguments.popFirst() ?? "") ?? .auto
  case "--hide": hides.append(arguments.popFirst() ?? "")
  case "--recorded": ownership = .recorded
  case "--threads": threads = Int(arguments.popFirst() ?? "") ?? 1
  case "--trace": service.trace = true
  case "--count": counts = true
  case "--no-writeback": service.without.insert(.writebackCache)
  case "--record":
    service.recorder = Recorder(arguments.popFirst() ?? "")
    threads = 1
  case "--opens": service.without.insert([.noOpen, .noOpendir])
  default: mountPoint = argument
  }
}

let tree: LayeredTree
do throws(TreeError) {
  tree = try LayeredTree(
    reads: reads, writes: writes, shares: shares.map { Share(map: $0, caching: caching) },
    hides: hides.map { Path($0) }, ownership: ownership)
} catch {
  die(error.description)
}
let server = FileSystemServer(tree)

let device = open("/dev/fuse", O_RDWR | O_CLOEXEC)
if device < 0 { die("/dev/fuse: \(String(cString: strerror(errno)))") }
let options = "fd=\(device),rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other"
if mount("treemount", mountPoint, "fuse", 0, options) != 0 {
  die("\(mountPoint): \(String(cString: strerror(errno)))")
}

let fuse = device
for _ in 1..<max(1, threads) { Thread { serve(fuse, server, service) }.start() }
serve(fuse, server, service)
server.close(isUnmounted: true)
service.recorder?.save()
if counts { FileHandle.standardError.write(Data(service.summary.utf8)) }
