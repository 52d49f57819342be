/// A part of the guest's tree.
public struct Tree: Equatable, Sendable {
  let setting: String
  let value: String

  /// A directory of the host's that the guest reads; what it changes there goes elsewhere.
  public static func read(_ host: String, at guest: String = "/") -> Tree {
    Tree(setting: "read", value: "\(guest)=>\(host)")
  }

  /// What the guest does that other users of the host could use, of a machine whose monitor is root's.
  public struct Privileges: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Set-id bits and capabilities of programs are the host's, too.
    public static let setID = Privileges(rawValue: 1)
    /// So are device nodes.
    public static let devices = Privileges(rawValue: 2)

    fileprivate var words: [String] { (contains(.setID) ? ["suid"] : []) + (contains(.devices) ? ["dev"] : []) }
  }

  /// When the guest sees what the host changes in a share.
  public enum Freshness: String, Sendable {
    /// At once, by asking each time.
    case none
    /// Within a second, and with each open.
    case auto
    /// Never: nobody changes it.
    case always
  }

  /// A directory of the host's where the guest's writes land.
  public static func write(_ host: String, at guest: String = "/", granting: Privileges = []) -> Tree {
    Tree(setting: "write", value: "\(guest)=>\(host)" + options(granting.words))
  }

  /// A directory or file of the host's as it is, changes going both ways.
  ///
  /// - Parameter notifies: whether programs in the guest that watch files (inotify) are told what the host changes.
  public static func share(
    _ host: String, at guest: String, isReadOnly: Bool = false, cache: Freshness = .auto, notifies: Bool = false,
    granting: Privileges = []
  ) -> Tree {
    // Always some, so that nothing of the path is taken for them.
    let words =
      [isReadOnly ? "ro" : "rw"] + (cache == .auto ? [] : ["cache=\(cache.rawValue)"]) + (notifies ? ["notify"] : [])
      + granting.words
    return Tree(setting: "share", value: "\(guest)=>\(host)" + options(words))
  }

  private static func options(_ words: [String]) -> String { words.isEmpty ? "" : ":" + words.joined(separator: ",") }

  /// A pack.
  public static func pack(_ name: String, at guest: String = "/") -> Tree {
    Tree(setting: "pack", value: "\(name)=>\(guest)")
  }

  /// An empty directory in the guest's memory.
  ///
  /// - Parameter options: as of tmpfs(5), such as `size=64m,mode=1777`.
  public static func memory(at guest: String, options: String = "") -> Tree {
    Tree(setting: "tmpfs", value: guest + (options.isEmpty ? "" : ":\(options)"))
  }

  /// What guests write at a path, kept under a name from machine to machine.
  public static func volume(_ name: String, at guest: String) -> Tree {
    Tree(setting: "volume", value: "\(name)=>\(guest)")
  }
}
