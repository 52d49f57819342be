/// How command lines say how much.
enum Quantity {
  /// A decimal number, or so many times 2^10, 2^20 or 2^30 with `K`, `M` or `G` behind it.
  ///
  /// - Returns: nil for anything else, and for what lies outside `range`.
  static func parse(_ text: String, in range: ClosedRange<Int>) -> Int? {
    let shift = ["K": 10, "M": 20, "G": 30][text.suffix(1)]
    guard let number = Int(shift == nil ? text[...] : text.dropLast()) else { return nil }
    let (quantity, isTooMuch) = number.multipliedReportingOverflow(by: 1 << (shift ?? 0))
    return !isTooMuch && range.contains(quantity) ? quantity : nil
  }
}
