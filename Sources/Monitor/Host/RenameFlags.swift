/// Flags of renameat2(2).
package struct RenameFlags: OptionSet, Sendable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  package static let noReplace = RenameFlags(rawValue: 1)
  package static let exchange = RenameFlags(rawValue: 2)
  package static let whiteout = RenameFlags(rawValue: 4)
}
