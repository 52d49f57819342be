/// Where a confined process finds the directories that are left to it.
struct ConfinedPlaces {
  private var places: [String: String] = [:]

  /// The path to a directory, which may be elsewhere than it was.
  subscript(path: String) -> String {
    get { places[path] ?? path }
    set { places[path] = newValue }
  }

  /// Words with paths as people know them.
  func told(_ words: String) -> String {
    // A longer number first, of which another may be the beginning.
    places.sorted { $0.value.utf8.count > $1.value.utf8.count }
      .reduce(words) { $0.replacing($1.value, with: $1.key) }
  }
}
