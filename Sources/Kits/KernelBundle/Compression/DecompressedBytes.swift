/// Output that grows up to a limit: a few kilobytes of hostile input can otherwise ask for any amount of memory.
struct DecompressedBytes {
  private(set) var bytes: [UInt8] = []
  let limit: Int

  /// What a streaming decoder fills at a time.
  static let chunk = 1 << 18

  init(limit: Int) { self.limit = limit }

  /// Has `fill` write up to `capacity` bytes and takes as many as it says it wrote. Room for one byte beyond the
  /// limit is offered, so that an output of just `limit` bytes and a larger one can be told apart.
  mutating func append<Failure: Error>(
    capacity: Int = chunk, _ fill: (UnsafeMutableBufferPointer<UInt8>) throws(Failure) -> Int
  ) throws(Failure) {
    var failure: Failure?
    let block = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
      do throws(Failure) {
        // Safe: at most `capacity` bytes, which `fill` has initialised.
        count = min(try unsafe fill(buffer), buffer.count)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    bytes.append(contentsOf: block)
  }

  func checkLimit() throws(CompressionFault) {
    if bytes.count > limit { throw .tooLarge(limit: limit) }
  }
}
