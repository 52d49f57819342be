/// Bytes for people.
enum Amount {
  /// With a unit of which there are at least one and fewer than 1,024: `17`, `3.2K`, `512M`.
  static func text(_ bytes: UInt64) -> String {
    var (value, unit) = (Double(bytes), "")
    for next in ["K", "M", "G", "T", "P"] where value >= 1024 { (value, unit) = (value / 1024, next) }
    if unit.isEmpty { return "\(bytes)" }
    // One digit behind the point where it says something.
    let tenths = Int((value * 10).rounded())
    return tenths < 100 ? "\(tenths / 10).\(tenths % 10)\(unit)" : "\(Int(value.rounded()))\(unit)"
  }
}
