import Glibc

/// Signals by their names (signal(7)).
package enum SignalName {
  /// For what is none.
  package static let advice = "is no signal; such as TERM, QUIT, RTMIN+3 or 15"

  private static let names = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT",
    "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR",
    "SYS",
  ]
  /// The first and the last one of those for anything, as programs know them: the C library keeps two for itself (nptl(7)).
  private static let realTime: ClosedRange<Int32> = 34...64

  /// - Parameter text: with or without `SIG`, in either case, `RTMIN+3` and `RTMAX-3` among them, or the number; nil for anything else.
  package static func number(_ text: String) -> Int32? {
    let upper = text.uppercased()
    let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
    if let place = names.firstIndex(of: name) { return Int32(place + 1) }
    if let number = digits(upper[...]) { return (1...64).contains(number) ? number : nil }
    for (start, base) in [("RTMIN", realTime.lowerBound), ("RTMAX", realTime.upperBound)] where name.hasPrefix(start) {
      let rest = name.dropFirst(start.count)
      guard let sign = rest.first else { return base }
      guard ["+", "-"].contains(sign), let offset = digits(rest.dropFirst()) else { return nil }
      let number = sign == "+" ? base + offset : base - offset
      return realTime.contains(number) ? number : nil
    }
    return nil
  }

  private static func digits(_ text: Substring) -> Int32? {
    guard (1...2).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return Int32(text)
  }
}
