import CGuest

/// The kernel's random numbers (random(4)).
enum Entropy {
  /// Has all that is drawn from now on be other numbers than those of a machine that was the same until now.
  ///
  /// - Parameter secret: at most 64 bytes that nobody can know.
  static func renew(with secret: Bytes) throws(SystemError) {
    let device = try Descriptor.open("/dev/random", O_WRONLY)
    try check(unsafe cguest_add_entropy(device.number, secret, UInt32(secret.count)))
    // The kernel draws by a key, which it would keep for up to a minute.
    try check(cguest_reseed(device.number))
  }
}
