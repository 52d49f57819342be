import Glibc
import Host
import Store

/// The templates of a store, as those use them who start machines.
package struct Templates: Sendable {
  package let choice: TemplateChoice
  let store: TemplateStore
  /// The program that makes them: `novm`.
  private let novm: String

  /// - Parameter choice: what holds for machines of which nobody says it.
  package init(_ choice: TemplateChoice, store: TemplateStore, novm: String) {
    self.choice = choice
    self.store = store
    self.novm = novm
  }

  /// The command of novm's that makes one.
  package static let makeCommand = "make-template"

  /// Has one made by a process apart, which ends by itself and holds nobody up. Whatever keeps it from that is no trouble of this
  /// machine's. It is not tried again at once after it has failed.
  func make(_ kind: TemplateKind) {
    guard !store.hasJustFailed, let log = try? store.log() else { return }
    let words = [Self.makeCommand, kind.key, kind.shares.joined(separator: ","), "--"].map { Array($0.utf8) }
    try? Program.startApart(
      novm, words + kind.arguments, errors: log.raw, inherited: [], environment: Self.environment)
  }

  private static var environment: [[UInt8]] {
    var variables: [[UInt8]] = []
    // The C library ends its array with a null pointer, and each text with a NUL.
    var next = unsafe environ
    while let entry = unsafe next.pointee {
      variables.append(unsafe UnsafeRawBufferPointer(start: entry, count: strlen(entry)).map { $0 })
      unsafe next += 1
    }
    return variables
  }
}
