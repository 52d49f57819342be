import CGuest

/// What the Swift runtime asks for to seed its hashing, and musl does not have.
@c(arc4random_buf)
func randomBytes(_ buffer: UnsafeMutableRawPointer, _ count: Int) {
  // Up to 256 bytes come in one piece once the pool is ready (getrandom(2)), and the runtime asks for 16.
  _ = unsafe getrandom(buffer, count, 0)
}
