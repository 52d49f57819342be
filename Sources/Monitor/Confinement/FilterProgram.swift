import CLinux

/// A ``CallFilter`` as classic BPF (seccomp(2)): the numbers of calls as a binary tree, so that the most common ones of some
/// hundred take seven comparisons, and behind each leaf what its arguments must be.
///
/// The kernel runs those calls by a table whose arguments are not looked at (Linux 5.11).
struct FilterProgram {
  private(set) var instructions: [sock_filter] = []

  /// The most that Linux takes (BPF_MAXINSNS).
  static let limit = 4096

  /// What becomes of calls that are not mentioned.
  private let end: sock_filter

  init(_ filter: CallFilter) {
    end = Self.failing(filter.otherwise)
    let calls = filter.verdicts.sorted { $0.key < $1.key }
    instructions = [
      Self.load(UInt32(clinux_CALL_ARCHITECTURE)),
      Self.jump(clinux_JUMP_IF_EQUAL, clinux_ARCHITECTURE, 1, 0),
      Self.trap,
      // A call of the x32 kind has bit 30 set, and so none of these numbers.
      Self.load(UInt32(clinux_CALL_NUMBER)),
    ]
    instructions += tree(calls[...])
    precondition(instructions.count <= Self.limit)
  }

  private typealias Calls = ArraySlice<(key: SystemCall, value: CallFilter.Verdict)>

  /// Ends in a verdict, whatever the call.
  private func tree(_ calls: Calls) -> [sock_filter] {
    guard calls.count > 2 else {
      var code: [sock_filter] = []
      for (call, verdict) in calls {
        let block = Self.block(verdict)
        code.append(Self.jump(clinux_JUMP_IF_EQUAL, call.number, 1, 0))
        code.append(Self.skip(block.count))
        code += block
      }
      return code + [end]
    }
    let middle = calls.startIndex + calls.count / 2
    let lower = tree(calls[..<middle])
    return [Self.jump(clinux_JUMP_IF_NOT_BELOW, calls[middle].key.number, 0, 1), Self.skip(lower.count)] + lower
      + tree(calls[middle...])
  }

  private static func block(_ verdict: CallFilter.Verdict) -> [sock_filter] {
    switch verdict {
    case .allowed: return [allow]
    case .allowedWhere(let alternatives, let error):
      return alternatives.flatMap(alternative) + [failing(error)]
    }
  }

  /// Allows the call where all conditions hold, and otherwise goes on behind itself.
  private static func alternative(_ conditions: [CallFilter.Condition]) -> [sock_filter] {
    var code = [allow]
    for condition in conditions.reversed() {
      // To where the call is one argument nearer to being allowed, and past all of this.
      let rest = code
      var tests: [sock_filter] = []
      for value in condition.values.reversed() {
        // Behind the test of this value: those of the others, the jump past, the rest.
        tests = test(condition, value, whenHolds: tests.count + 1) + tests
      }
      code = tests + [skip(rest.count)] + rest
    }
    return code
  }

  /// Jumps past `whenHolds` instructions if the argument is this value, and goes on if it is not.
  private static func test(
    _ condition: CallFilter.Condition, _ value: UInt64, whenHolds: Int
  ) -> [sock_filter] {
    var code: [sock_filter] = []
    let place = UInt32(clinux_CALL_ARGUMENTS) + 8 * UInt32(condition.argument)
    let halves = [
      (place + 4, UInt32(condition.mask >> 32), UInt32(truncatingIfNeeded: value >> 32)),
      (place, UInt32(truncatingIfNeeded: condition.mask), UInt32(truncatingIfNeeded: value)),
    ].filter { $0.1 != 0 }
    for (place, mask, value) in halves.reversed() {
      let rest = code.isEmpty ? [skip(whenHolds)] : code
      var half = [load(place)]
      if mask != .max { half.append(sock_filter(code: UInt16(clinux_AND), jt: 0, jf: 0, k: mask)) }
      half.append(jump(clinux_JUMP_IF_EQUAL, value, 0, UInt8(rest.count)))
      code = half + rest
    }
    return code
  }

  private static var allow: sock_filter { result(clinux_FILTER_ALLOWS) }
  private static func failing(_ error: Int32?) -> sock_filter {
    error.map { result(clinux_FILTER_ERRNO | UInt32($0)) } ?? trap
  }
  private static var trap: sock_filter { result(clinux_FILTER_TRAPS) }

  private static func result(_ value: UInt32) -> sock_filter {
    sock_filter(code: UInt16(clinux_RETURN), jt: 0, jf: 0, k: value)
  }

  private static func load(_ place: UInt32) -> sock_filter {
    sock_filter(code: UInt16(clinux_LOAD_WORD), jt: 0, jf: 0, k: place)
  }

  /// Conditional jumps reach 255 instructions far; these reach all.
  private static func skip(_ count: Int) -> sock_filter {
    sock_filter(code: UInt16(clinux_JUMP), jt: 0, jf: 0, k: UInt32(count))
  }

  private static func jump(
    _ code: some BinaryInteger, _ value: UInt32, _ whenTrue: UInt8, _ whenFalse: UInt8
  ) -> sock_filter {
    sock_filter(code: UInt16(code), jt: whenTrue, jf: whenFalse, k: value)
  }
}
