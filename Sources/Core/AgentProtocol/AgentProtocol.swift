/// What passes between the host and `noguest` over vsock.
///
/// A stream is one connection to port ``port`` of the guest, and serves one command or one shutdown:
///
///     host                                guest
///     exec                            ──►
///                                     ◄── started, or failed and the end
///     stdin…, endOfInput, signal,     ──►
///     resize
///                                     ◄── stdout…, stderr…, credit…
///                                     ◄── exited or signaled, and the end
///
///     shutdown                        ──►
///                                     ◄── synced: nothing more will be written to any file system
///
/// Once the guest is ready it also connects to port ``port`` of the host, sends one `hello`, and keeps that connection for
/// as long as it lives.
///
/// Everything is little-endian. A frame is a ``FrameHeader`` and its payload. Strings are bytes without NUL, since paths,
/// arguments and environment are. Standard input is flow controlled by a window, as in SSH (RFC 4254, 5.2), so that a
/// signal or a resize never waits behind input that the command does not read; output is held back by the stream itself.
///
/// Both sides take the other for hostile: the decoder validates all, bounds what it allocates, and never traps.
package enum Agent {
  /// The vsock port, in the guest for commands and in the host for `hello`.
  package static let port: UInt32 = 1024

  /// The version that `hello` carries. It grows when an older peer could no longer make sense of a newer one.
  package static let version: UInt16 = 1

  /// Bytes of standard input that the host may send before the guest has granted any credit.
  package static let initialInputWindow: UInt32 = 512 << 10

  /// The largest payload of a frame other than `exec`.
  package static let payloadLimit = 64 << 10

  /// The largest payload of `exec`: Linux's own limit on arguments and environment under the default stack limit
  /// (execve(2), "Limits on size of arguments and environment").
  package static let execPayloadLimit = 2 << 20
}
