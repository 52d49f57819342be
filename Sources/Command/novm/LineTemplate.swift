import ArgumentParser

/// What `--format` takes: a line in which `{{.NAME}}` or `{{ .NAME }}` stands for a value, as in Docker's templates, of which
/// it is all that there is.
struct LineTemplate<Field: RawRepresentable & CaseIterable> where Field.RawValue == String {
  private let text: String

  private static var place: Regex<(Substring, Substring)> { /{{\s*\.?(.*?)\s*}}/ }

  /// - Throws: for the command line, if there is no such field.
  init(_ text: String) throws {
    let names = Field.allCases.map { "{{.\($0.rawValue)}}" }.joined(separator: " ")
    for place in text.matches(of: Self.place) where Field(rawValue: String(place.1)) == nil {
      throw ValidationError("--format: no field '\(place.1)'; there are \(names)")
    }
    if text.replacing(Self.place, with: "").contains("{{") {
      throw ValidationError("--format: a {{ without its }}; there are \(names)")
    }
    self.text = text
  }

  func fill(_ value: (Field) -> String) -> String {
    text.replacing(Self.place) { place in Field(rawValue: String(place.1)).map(value) ?? "" }
  }
}
