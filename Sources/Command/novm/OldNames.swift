/// Commands as the first novm (2014) had them, and images' as Docker has them, for the fingers of those who know these.
enum OldNames {
  private static let commands: [String: [String]] = [
    "packs": ["pack", "ls"],
    "mkpack": ["pack", "create"],
    "getpack": ["pack", "import"],
    "rmpack": ["pack", "rm"],
    "kernels": ["kernel", "list"],
    "mkkernel": ["kernel", "import"],
    "getkernel": ["kernel", "import"],
    "rmkernel": ["kernel", "rm"],
    "images": ["image", "ls"],
    "pull": ["image", "pull"],
    "push": ["image", "push"],
    "import": ["image", "import"],
    "load": ["image", "load"],
    "save": ["image", "save"],
    "tag": ["image", "tag"],
    "rmi": ["image", "rm"],
    "history": ["image", "history"],
  ]

  /// The command line in today's words.
  static func expand(_ arguments: [String]) -> [String] {
    guard let first = arguments.first, let words = commands[first] else { return arguments }
    return words + arguments.dropFirst()
  }
}
