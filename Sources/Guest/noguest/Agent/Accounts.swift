/// Users and groups as the tree's own files name them (passwd(5), group(5)).
struct Accounts {
  private let passwd: [[Bytes]]
  private let group: [[Bytes]]

  init(passwd: Bytes, group: Bytes) {
    self.passwd = Self.records(passwd, fields: 7)
    self.group = Self.records(group, fields: 4)
  }

  /// The accounts of the tree; a tree without those files has none.
  static func ofTree() -> Accounts {
    Accounts(
      passwd: (try? Files.contents("/etc/passwd")) ?? [], group: (try? Files.contents("/etc/group")) ?? [])
  }

  /// The identity that `NAME`, `UID`, `NAME:GROUP` or `UID:GID` means; empty means root.
  ///
  /// As `docker run --user` has it: a name is looked for first, a number needs no entry, and supplementary groups
  /// belong to a user given without a group.
  func identity(of specification: Bytes) throws(UnknownAccount) -> Identity {
    let parts = specification.isEmpty ? ["0"] : specification.parts(at: UInt8(ascii: ":"))
    guard parts.count <= 2 else { throw .user(specification) }
    let entry = record(of: parts[0], in: passwd)
    guard let user = entry?[2].decimal ?? parts[0].decimal, user != .max else { throw .user(parts[0]) }

    var identity = Identity(user: user, group: entry?[3].decimal ?? 0, groups: [], home: entry?[5] ?? [])
    if parts.count == 2 {
      guard let id = record(of: parts[1], in: group)?[2].decimal ?? parts[1].decimal, id != .max else {
        throw .group(parts[1])
      }
      identity.group = id
    } else if let name = entry?[0] {
      for record in group where record[3].parts(at: UInt8(ascii: ",")).contains(name) {
        if let id = record[2].decimal { identity.groups.append(id) }
      }
    }
    if identity.home.isEmpty { identity.home = "/" }
    return identity
  }

  /// The group that owns terminals, where there is one.
  var terminalGroup: UInt32? { number(ofGroup: "tty") }

  func number(ofGroup name: Bytes) -> UInt32? { record(of: name, in: group)?[2].decimal }

  /// The record of that name, or else of that number.
  private func record(of name: Bytes, in records: [[Bytes]]) -> [Bytes]? {
    if let named = records.first(where: { $0[0] == name }) { return named }
    guard let number = name.decimal else { return nil }
    return records.first { $0[2].decimal == number }
  }

  private static func records(_ file: Bytes, fields: Int) -> [[Bytes]] {
    file.parts(at: UInt8(ascii: "\n")).map { $0.parts(at: UInt8(ascii: ":")) }.filter { $0.count == fields }
  }
}

enum UnknownAccount: Error {
  case user(Bytes)
  case group(Bytes)

  var text: Bytes {
    switch self {
    case .user(let name): "no user '" + name + "' in the guest's /etc/passwd"
    case .group(let name): "no group '" + name + "' in the guest's /etc/group"
    }
  }
}
