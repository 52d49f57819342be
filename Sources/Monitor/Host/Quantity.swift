/// How command lines say how much.
package enum Quantity {
  /// A decimal number, or so many times 2^10, 2^20, 2^30 or 2^40 with `K`, `M`, `G` or `T` behind it.
  ///
  /// - Returns: nil for anything else, and for what lies outside `range`.
  package static func parse(_ text: String, in range: ClosedRange<Int>) -> Int? {
    let shift = ["K": 10, "M": 20, "G": 30, "T": 40][text.suffix(1)]
    guard let number = Int(shift == nil ? text[...] : text.dropLast()) else { return nil }
    let (quantity, isTooMuch) = number.multipliedReportingOverflow(by: 1 << (shift ?? 0))
    return !isTooMuch && range.contains(quantity) ? quantity : nil
  }
}
