/// What is asked of the program that hands PCI's functions out, in the first word of a call; others are arguments.
package enum FunctionOperation {
  /// The nth of all: answers with its address, its identity, and whether somebody has it.
  package static let list: UInt64 = 0
  /// One of that identity: answers with its address, and the sizes of its six memories; these are given.
  package static let claim: UInt64 = 1
  /// A word of an own function's configuration space.
  package static let read: UInt64 = 2
  /// An own function is to work.
  package static let enable: UInt64 = 3
}
