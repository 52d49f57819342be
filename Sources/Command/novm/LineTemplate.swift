import ArgumentParser

/// What `--format` takes: a line in which `{{.NAME}}` stands for a value, as in Docker's templates.
struct LineTemplate<Field: RawRepresentable & CaseIterable> where Field.RawValue == String {
  private let text: String

  /// - Throws: for the command line, if there is no such field.
  init(_ text: String) throws {
    for place in text.matches(of: /{{\.(.*?)}}/) where Field(rawValue: String(place.1)) == nil {
      let names = Field.allCases.map { "{{.\($0.rawValue)}}" }.joined(separator: " ")
      throw ValidationError("--format: no field '\(place.1)'; there are \(names)")
    }
    self.text = text
  }

  func fill(_ value: (Field) -> String) -> String {
    text.replacing(/{{\.(.*?)}}/) { place in Field(rawValue: String(place.1)).map(value) ?? "" }
  }
}
