/// The nearest of what would have been understood.
package enum Suggestion {
  /// nil if all are too far for a slip of the finger.
  package static func nearest(to word: String, in words: [String]) -> String? {
    let ranked = words.map { ($0, distance(word, $0)) }
    guard let best = ranked.min(by: { $0.1 < $1.1 }), best.1 <= max(1, word.count / 3) else { return nil }
    return best.0
  }

  /// Insertions, deletions, replacements, and neighbours that changed places, from one word to the other (optimal string
  /// alignment).
  package static func distance(_ one: String, _ other: String) -> Int {
    let (one, other) = (Array(one), Array(other))
    // How far the first letters of one are from the first letters of the other.
    var rows = [Array(0...other.count)]
    for (i, left) in one.enumerated() {
      var row = [i + 1]
      for (j, right) in other.enumerated() {
        var least = min(rows[i][j] + (left == right ? 0 : 1), row[j] + 1, rows[i][j + 1] + 1)
        if i > 0, j > 0, left == other[j - 1], right == one[i - 1] { least = min(least, rows[i - 1][j - 1] + 1) }
        row.append(least)
      }
      rows.append(row)
    }
    return rows[one.count][other.count]
  }
}
