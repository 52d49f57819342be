/// Whether a machine begins with the state of one that has booted already (docs/templates.md).
package enum TemplateChoice: String, Codable, CaseIterable, Sendable {
  /// Where there is such a state; where there is none, one is made for the next.
  case auto
  case off
  /// Or not at all.
  case require

  /// What NOVM_TEMPLATE says, which holds for machines of which nobody says it; off where it says nothing.
  package static func of(variable text: String?) throws(NovmError) -> TemplateChoice {
    guard let text, !text.isEmpty else { return .off }
    guard let choice = TemplateChoice(rawValue: text) else { throw .templateChoice(text) }
    return choice
  }
}
