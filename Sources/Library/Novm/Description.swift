import NovmKit

/// What a machine is to be.
///
/// Its settings go by the names of the command's options and of machine files (docs/machine-file.md), and are texts. Each is
/// looked at when it is set.
public struct Description: Sendable {
  var settings = NamedSettings()

  public init() {}

  /// - Parameter text: YAML or JSON.
  /// - Throws: ``Failure/Code/description`` with line and setting.
  public init(parsing text: String) throws(Failure) { try parse(Array(text.utf8)) }

  /// Adds what a text says.
  public mutating func parse(_ text: [UInt8]) throws(Failure) {
    var settings = settings
    try told { () throws(NovmError) in try settings.parse(text) }
    self.settings = settings
  }

  /// Sets what takes one value, and adds to what takes several.
  public mutating func set(_ name: String, _ value: String) throws(Failure) {
    var settings = settings
    try told { () throws(NovmError) in try settings.set(name, value) }
    self.settings = settings
  }

  /// Shows a tree to the guest, above those before it.
  public mutating func add(_ tree: Tree) throws(Failure) { try set(tree.setting, tree.value) }

  /// What can be set.
  public static var names: [String] { NamedSettings.names }

  /// Whether the machine is removed once it has ended.
  public var isRemoved: Bool { settings.remove }
}
