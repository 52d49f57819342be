import CNettle

/// SHA-256 of bytes that come piece by piece, by the library that libarchive brings along.
package struct SHA256 {
  private var context = sha256_ctx()

  package init() { unsafe nettle_sha256_init(&context) }

  /// - Parameter count: how many of the bytes count; all if nil.
  package mutating func update(_ bytes: [UInt8], count: Int? = nil) {
    let count = min(count ?? bytes.count, bytes.count)
    guard count > 0 else { return }
    // The pointer is good for `count` bytes, through the call.
    unsafe bytes.withUnsafeBufferPointer { unsafe nettle_sha256_update(&context, count, $0.baseAddress) }
  }

  /// The digest of all so far. The hash starts anew.
  package mutating func digest() -> Digest {
    var result = [UInt8](repeating: 0, count: 32)
    unsafe result.withUnsafeMutableBufferPointer { unsafe nettle_sha256_digest(&context, 32, $0.baseAddress) }
    return Digest(bytes: result)
  }
}
