// Counts the heap allocations of the requests that a guest sends most: each must do without. Prints one line for each kind, and
// ends with status 1 if one of them takes from the heap. To be built with optimization: swift run -c release allocations.
//
//   allocations --walk DIRECTORY [TIMES]
//
// reads all directories below one that is a tree's only layer, and tells how long each entry took: in an emulated host whose
// clock counts instructions (Testbed/host --icount), how many of these.

import CCountingAllocator
import FUSE
import FileSystem
import Foundation
import GuestMemory

let base = FileManager.default.temporaryDirectory.path + "/novm-allocations-\(getpid())"
for name in ["lower/d", "upper"] {
  try FileManager.default.createDirectory(atPath: base + "/" + name, withIntermediateDirectories: true)
}
defer { try? FileManager.default.removeItem(atPath: base) }
try Data(repeating: 1, count: 100_000).write(to: URL(fileURLWithPath: base + "/lower/d/lower"))
try FileManager.default.createDirectory(atPath: base + "/lower/many", withIntermediateDirectories: true)
for number in 0..<1000 { try Data().write(to: URL(fileURLWithPath: base + "/lower/many/\(number)")) }
try Data(repeating: 2, count: 100_000).write(to: URL(fileURLWithPath: base + "/lower/d/copied"))

func bytes(_ values: [UInt64]) -> [UInt8] {
  values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
}

func terminated(_ name: String) -> [UInt8] { Array(name.utf8) + [0] }

let linux = InitFlags(rawValue: 0x7bff_ffff)
let hello = bytes([7 | 36 << 32, 1 << 20 | linux.rawValue << 32] + [UInt64](repeating: 0, count: 6))
if CommandLine.arguments.dropFirst().first == "--walk" {
  try walk(CommandLine.arguments[2], times: CommandLine.arguments.dropFirst(3).first.flatMap { Int($0) } ?? 1)
  exit(0)
}

/// Sends one request often and tells how many allocations that took; false for any at all.
func measure(
  _ name: String, _ guest: Guest, _ opcode: Opcode, _ node: UInt64, _ arguments: [UInt8], expecting: Int32 = 0
) -> Bool {
  guest.prepare(opcode, node, arguments)
  // What is made once, and kept, does not count.
  for _ in 0..<3 {
    let error = guest.send()
    guard error == expecting else { fatalError("\(name): errno \(error)") }
  }
  let times = 1000
  counting_allocator_start()
  for _ in 0..<times { _ = guest.send() }
  let allocations = counting_allocator_stop()
  print("\(allocations == 0 ? "ok" : "not ok") - \(name): \(allocations) allocations in \(times) requests")
  return allocations == 0
}

/// Lists a directory that the guest does not know yet: what stays of each file is its node and its name.
func measureListing(_ title: String, _ guest: Guest) -> Bool {
  guest.prepare(.lookup, 1, terminated("many"))
  guard guest.send() == 0 else { fatalError("LOOKUP of many") }
  var walk = Walk(guest)
  let directory = guest.reply(at: 0)
  counting_allocator_start()
  walk.directory(directory)
  let allocations = counting_allocator_stop()
  // Beyond these, what a request takes here, and tables that grow.
  let isGood = allocations < walk.entries * 2 + walk.requests * 10 + 50
  print(
    "\(isGood ? "ok" : "not ok") - \(title): listing of unknown files: \(allocations) allocations for \(walk.entries)")
  return isGood
}

// A counter that counts nothing would find nothing.
counting_allocator_start()
let sample = FileManager.default.currentDirectoryPath
guard counting_allocator_stop() > 0, !sample.isEmpty else { fatalError("allocations are not counted") }

var results: [Bool] = []
for ownership in geteuid() == 0 ? [Ownership.real, .recorded] : [.recorded] {
  let server = FileSystemServer(
    try LayeredTree(
      reads: [LayerMap(guestPath: "/", hostPath: base + "/lower")],
      writes: [LayerMap(guestPath: "/", hostPath: base + "/upper")], ownership: ownership))
  let guest = Guest(server)
  guest.prepare(.initialize, 0, hello)
  guard guest.send() == 0 else { fatalError("INIT") }
  func lookUp(_ parent: UInt64, _ name: String) -> UInt64 {
    guest.prepare(.lookup, parent, terminated(name))
    guard guest.send() == 0 else { fatalError("LOOKUP of \(name)") }
    return guest.reply(at: 0)
  }
  let directory = lookUp(1, "d")
  let lower = lookUp(directory, "lower")
  let copied = lookUp(directory, "copied")
  let title = "\(ownership)"
  let read = bytes([0, 4096, 16384, 0, 0])
  let write = bytes([0, 4096, 16384, 0, 0]) + [UInt8](repeating: 9, count: 16384)
  results += [measureListing(title, guest)]
  results += [
    measure("\(title): lookup of a lower file", guest, .lookup, directory, terminated("lower")),
    measure("\(title): lookup of nothing", guest, .lookup, directory, terminated("nothing")),
    measure("\(title): getattr of a lower file", guest, .getattr, lower, bytes([0, 0])),
    measure("\(title): read of a lower file", guest, .read, lower, read),
    measure("\(title): write of a copied file", guest, .write, copied, write),
    measure("\(title): read of a copied file", guest, .read, copied, read),
    measure("\(title): lookup of a copied file", guest, .lookup, directory, terminated("copied")),
    measure("\(title): getattr of a copied file", guest, .getattr, copied, bytes([0, 0])),
    measure("\(title): getattr of a merged directory", guest, .getattr, directory, bytes([0, 0])),
  ]
  server.close()
}
exit(results.allSatisfy { $0 } ? 0 : 1)
