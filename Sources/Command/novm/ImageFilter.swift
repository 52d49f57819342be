import Images

/// Which images are to be listed.
enum ImageFilter: Equatable {
  case label(String)
  /// Without a name.
  case dangling(Bool)

  /// `label=KEY`, `label=KEY=VALUE`, `dangling=true` or `dangling=false`.
  init?(_ text: String) {
    let value = String(text.drop { $0 != "=" }.dropFirst())
    switch (text.prefix { $0 != "=" }, value) {
    case ("dangling", "true"), ("dangling", "false"): self = .dangling(value == "true")
    case ("label", _) where !value.isEmpty && !value.hasPrefix("="): self = .label(value)
    default: return nil
    }
  }

  func takes(_ image: Image) -> Bool {
    switch self {
    case .dangling(let isSo): image.references.isEmpty == isSo
    case .label(let wanted):
      image.labels([]).contains { wanted.contains("=") ? $0 == wanted : $0.prefix { $0 != "=" } == wanted }
    }
  }
}
