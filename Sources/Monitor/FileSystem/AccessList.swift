import Host
import LittleEndian

/// A POSIX access control list in the form that Linux gives it as an attribute (linux/posix_acl_xattr.h), for write maps whose
/// owners are recorded: there the host's file system cannot keep one, and does not do what lists ask for. What is done here is
/// what fs/posix_acl.c does.
struct AccessList: Equatable {
  struct Entry: Equatable {
    let tag: UInt16
    var permissions: UInt16
    let id: UInt32
  }

  private enum Tag {
    static let owner: UInt16 = 0x01
    static let user: UInt16 = 0x02
    static let owningGroup: UInt16 = 0x04
    static let group: UInt16 = 0x08
    static let mask: UInt16 = 0x10
    static let other: UInt16 = 0x20
  }

  private static let version: UInt32 = 2
  private var entries: [Entry] = []

  /// - Returns: nil for what is no list: the owner's entry, users, the owning group's, groups, the mask, which there must be
  ///   with users or groups, and others'.
  init?(parsing bytes: [UInt8]) {
    guard bytes.count >= 4, bytes.count % 8 == 4, bytes.field(at: 0) == AccessList.version else { return nil }
    var last: UInt16 = 0
    for at in stride(from: 4, to: bytes.count, by: 8) {
      let tag = bytes.field(UInt16.self, at: at)
      let isNamed = tag == Tag.user || tag == Tag.group
      guard [Tag.owner, Tag.user, Tag.owningGroup, Tag.group, Tag.mask, Tag.other].contains(tag),
        tag > last || (tag == last && isNamed)
      else { return nil }
      last = tag
      let permissions = bytes.field(UInt16.self, at: at + 2)
      guard permissions <= 7 else { return nil }
      entries.append(Entry(tag: tag, permissions: permissions, id: bytes.field(at: at + 4)))
    }
    for tag in [Tag.owner, Tag.owningGroup, Tag.other] where !has(tag) { return nil }
    if has(Tag.user) || has(Tag.group), !has(Tag.mask) { return nil }
  }

  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(field: AccessList.version)
    for entry in entries {
      bytes.append(field: entry.tag)
      bytes.append(field: entry.permissions)
      bytes.append(field: entry.id)
    }
    return bytes
  }

  private func has(_ tag: UInt16) -> Bool { entries.contains { $0.tag == tag } }

  /// Whether it says no more than permissions do.
  var isMinimal: Bool { entries.count == 3 }

  /// The entry that shows as permissions of the group: the mask, if there is one.
  private var shownGroup: UInt16 { has(Tag.mask) ? Tag.mask : Tag.owningGroup }

  private func permissions(of tag: UInt16) -> UInt32 {
    UInt32(entries.first { $0.tag == tag }?.permissions ?? 0)
  }

  /// The permissions that a file with this list shows; setting them is what chmod(2) does.
  var permissions: UInt32 {
    get {
      permissions(of: Tag.owner) << 6 | permissions(of: shownGroup) << 3 | permissions(of: Tag.other)
    }
    set {
      let group = shownGroup
      for index in entries.indices {
        switch entries[index].tag {
        case Tag.owner: entries[index].permissions = UInt16(newValue >> 6 & 7)
        case group: entries[index].permissions = UInt16(newValue >> 3 & 7)
        case Tag.other: entries[index].permissions = UInt16(newValue & 7)
        default: break
        }
      }
    }
  }

  /// What a directory's default list, which this is, and the mode that was asked for make together: the list of what is made in
  /// it, whose `permissions` are those that it shows.
  func inherited(mode: UInt32) -> AccessList {
    var list = self
    list.permissions &= mode & 0o777
    return list
  }
}
