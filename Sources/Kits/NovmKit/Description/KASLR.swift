/// Whether the guest's kernel lies where nobody can know, as novmm's `--kaslr` takes it.
package enum KASLR: String, Codable, CaseIterable, Sendable {
  /// Where its image allows it.
  case on
  case off
}
