import FUSE
import FileSystem
import Foundation

/// Walks a tree as find(1) has Linux do it: READDIRPLUS by pages, and directories as they were shown.
struct Walk {
  let guest: Guest
  private(set) var entries = 0
  private(set) var requests = 0

  init(_ guest: Guest) { self.guest = guest }

  mutating func directory(_ node: UInt64) {
    var directories: [UInt64] = []
    var offset: UInt64 = 0
    while true {
      guest.prepare(.readdirplus, node, bytes([0, offset, 4096, 0, 0]))
      guard guest.send() == 0 else { fatalError("READDIRPLUS") }
      requests += 1
      let length = Int(guest.replyLength) - 16
      if length <= 0 { break }
      var at = 0
      // struct fuse_direntplus: fuse_entry_out of 128 bytes, with the mode at 40 + 60; then ino, off, namelen, type, name.
      while at < length {
        let nameLength = Int(guest.reply(at: at + 144) & 0xffff_ffff)
        offset = guest.reply(at: at + 136)
        let child = guest.reply(at: at)
        if child != 0 {
          entries += 1
          if guest.reply(at: at + 40 + 60) & 0xf000 == 0x4000 { directories.append(child) }
        }
        at += (152 + nameLength + 7) & ~7
      }
    }
    for child in directories { self.directory(child) }
  }
}

/// Walks a host directory as often as asked, each time with a server that has not seen it before.
func walk(_ directory: String, times: Int) throws {
  for _ in 0..<times {
    let guest = Guest(FileSystemServer(try LayeredTree(reads: [LayerMap(guestPath: "/", hostPath: directory)])))
    guest.prepare(.initialize, 0, hello)
    guard guest.send() == 0 else { fatalError("INIT") }
    var walk = Walk(guest)
    let began = DispatchTime.now().uptimeNanoseconds
    walk.directory(1)
    let took = DispatchTime.now().uptimeNanoseconds - began
    print("\(walk.entries) entries in \(walk.requests) requests: \(took / UInt64(max(1, walk.entries))) ns for each")
  }
}
