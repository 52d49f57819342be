import CGuest

/// Nodes that load their module when they are opened: those that `modules.devname` lists (depmod(8)), as kmod and systemd make
/// them on other systems, with the modes and groups of udev's rules (50-udev-default.rules).
enum DeviceNodes {
  /// What is not for root alone: name, mode in decimal (0666 or 0660), group. One text takes less room than a table.
  private static let shared: Bytes = """
    fuse 438 root
    net/tun 438 root
    vfio/vfio 438 root
    kvm 432 kvm
    vhost-net 432 kvm
    vhost-vsock 432 kvm
    udmabuf 432 kvm
    loop-control 432 disk
    btrfs-control 432 disk
    snd/seq 432 audio
    snd/timer 432 audio
    """

  static func make() {
    let path: Bytes = "/lib/modules/" + Machine.kernelRelease + "/modules.devname"
    // A line for each: module, name, and type with numbers, such as `fuse fuse c10:229`.
    for words in table((try? Files.contents(path)) ?? []) {
      let node = "/dev/" + words[1]
      let numbers = Bytes(words[2].dropFirst()).parts(at: UInt8(ascii: ":"))
      guard numbers.count == 2, let major = numbers[0].decimal, let minor = numbers[1].decimal else { continue }
      if let slash = node.lastIndex(of: UInt8(ascii: "/")) { try? Files.makeDirectory(Bytes(node[..<slash])) }
      let kind = words[2].first == UInt8(ascii: "b") ? S_IFBLK : S_IFCHR
      // One that is there already is a device's, and the same.
      _ = unsafe node.withCString { unsafe cguest_make_node($0, UInt32(kind) | 0o600, major, minor) }
    }
    let accounts = Accounts.ofTree()
    for words in table(shared) {
      let node = "/dev/" + words[0]
      guard let mode = words[1].decimal, (try? Files.setMode(node, mode)) != nil,
        let group = accounts.number(ofGroup: words[2])
      else { continue }
      _ = unsafe node.withCString { unsafe chown($0, 0, group) }
    }
  }

  /// The lines that have three words.
  @inline(never) private static func table(_ text: Bytes) -> [[Bytes]] {
    text.parts(at: UInt8(ascii: "\n")).map { $0.parts(at: UInt8(ascii: " ")) }.filter { $0.count == 3 }
  }
}
