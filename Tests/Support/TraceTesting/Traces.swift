/// Random traces of operations, run on what is tested and on a naive model of it.
public enum Traces {
  /// A generator that repeats (xorshift64*).
  public struct Random: RandomNumberGenerator {
    private var state: UInt64
    public init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }
    public mutating func next() -> UInt64 {
      state ^= state >> 12
      state ^= state << 25
      state ^= state >> 27
      return state &* 0x2545_f491_4f6c_dd1d
    }
  }

  /// Runs `count` traces of `length` operations. Where `run` finds a fault in one, returns it with the shortest trace that could
  /// be found to have one, too: operations are left out as long as there is a fault.
  public static func fault<Operation>(
    count: Int = 50, length: Int = 150, _ make: (inout Random) -> Operation, _ run: ([Operation]) -> String?
  ) -> String? {
    for seed in 1...UInt64(count) {
      var random = Random(seed: seed)
      var trace = (0..<length).map { _ in make(&random) }
      guard var fault = run(trace) else { continue }
      var size = trace.count / 2
      while size > 0 {
        var start = 0
        while start < trace.count {
          var shorter = trace
          shorter.removeSubrange(start..<min(start + size, trace.count))
          if let other = run(shorter) {
            (trace, fault) = (shorter, other)
          } else {
            start += size
          }
        }
        size /= 2
      }
      return "seed \(seed): \(fault) after \(trace)"
    }
    return nil
  }
}
