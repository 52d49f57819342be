/// Whether a machine begins with the state of one that has booted already (docs/templates.md).
package enum TemplateChoice: String, Codable, CaseIterable, Sendable {
  /// Where there is such a state; where there is none, one is made for the next.
  case auto
  case off
  /// Or not at all.
  case require
}
