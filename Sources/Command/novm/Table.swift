import NovmKit

/// Columns of text, as wide as their widest entry, with nothing in them that would steer a terminal.
struct Table {
  private var rows: [[String]]

  init(_ header: String...) { rows = [header] }

  mutating func add(_ row: String...) { rows.append(row.map(ByteString.printable)) }

  var text: String {
    let widths = rows[0].indices.map { column in rows.map { Self.width($0[column]) }.max() ?? 0 }
    var text = ""
    for (index, row) in rows.enumerated() {
      if index > 0 { text += "\n" }
      // Blanks are due before the next word, not behind the last one.
      var blanks = 0
      for (cell, width) in zip(row, widths) {
        if !cell.isEmpty {
          text += String(repeating: " ", count: blanks)
          text += cell
          blanks = 0
        }
        blanks += width - Self.width(cell) + 2
      }
    }
    return text
  }

  /// In characters, which for ASCII are bytes.
  private static func width(_ cell: String) -> Int {
    cell.utf8.allSatisfy { $0 < 0x80 } ? cell.utf8.count : cell.count
  }
}
