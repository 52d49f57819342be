import Host

extension MachineRequest {
  /// What of the host, and by it, a machine may reach, a line each: all that it was given. Besides these its monitor has the
  /// kernel's files, what the guest writes that nobody keeps, and /dev/kvm.
  package var grants: [String] {
    func line(_ kind: String, _ host: [UInt8], at guest: [UInt8]) -> String {
      "\(kind)\t\(ByteString.printable(ByteString.string(host)))\tat \(ByteString.printable(ByteString.string(guest)))"
    }
    let root = Array("/".utf8)
    var lines: [String] = []
    let layers = reads.map(\.guest) + packs.map(\.guest) + shares.map(\.map.guest)
    if rootDisk == nil, !layers.contains(root) { lines.append(line("read", root, at: root)) }
    lines += reads.map { line("read", $0.host, at: $0.guest) }
    lines += packs.map { line("pack", Array($0.name.utf8), at: $0.guest) }
    lines += writes.map { line("write", $0.host, at: $0.guest) }
    lines += volumes.map { line("volume", Array($0.name.utf8), at: $0.guest) }
    lines += shares.map { line($0.isReadOnly ? "share, read-only" : "share", $0.map.host, at: $0.map.guest) }
    for (kind, disks) in [("disk", allDisks), ("pmem", mappedDisks)] {
      lines += disks.map { "\(kind)\t\(ByteString.printable(ByteString.string($0.argument)))" }
    }
    if let secondSerial {
      lines.append("serial port\t\(ByteString.printable(ByteString.string(secondSerial.argument)))")
    }
    if hasUserNetwork {
      lines.append(isClosed ? "network\tonly what is allowed" : "network\tall that this user reaches")
      lines += allowed.map { "allow\t\(ByteString.printable($0))" }
    }
    lines += denied.map { "deny\t\(ByteString.printable($0))" }
    lines += cards.map { "card\t\($0.card.argument)" }
    lines += publishedPorts.map { "publish\t\(ByteString.printable($0.argument))" }
    return lines
  }
}
