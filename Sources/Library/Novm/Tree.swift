/// A part of the guest's tree.
public struct Tree: Equatable, Sendable {
  let setting: String
  let value: String

  /// A directory of the host's that the guest reads; what it changes there goes elsewhere.
  public static func read(_ host: String, at guest: String = "/") -> Tree {
    Tree(setting: "read", value: "\(guest)=>\(host)")
  }

  /// A directory of the host's where the guest's writes land.
  public static func write(_ host: String, at guest: String = "/") -> Tree {
    Tree(setting: "write", value: "\(guest)=>\(host)")
  }

  /// A directory of the host's as it is, changes going both ways.
  public static func share(_ host: String, at guest: String, isReadOnly: Bool = false) -> Tree {
    Tree(setting: "share", value: "\(guest)=>\(host)" + (isReadOnly ? ":ro" : ""))
  }

  /// A pack.
  public static func pack(_ name: String, at guest: String = "/") -> Tree {
    Tree(setting: "pack", value: "\(name)=>\(guest)")
  }

  /// What guests write at a path, kept under a name from machine to machine.
  public static func volume(_ name: String, at guest: String) -> Tree {
    Tree(setting: "volume", value: "\(name)=>\(guest)")
  }
}
