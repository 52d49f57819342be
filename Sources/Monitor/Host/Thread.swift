import CLinux
import Glibc

/// A POSIX thread. What it takes is given back at its end, if it was joined or nobody holds this any more.
///
/// Unchecked: one thread at most joins it, and nobody kicks it then.
public final class Thread: @unchecked Sendable {
  private final class Body {
    let name: String
    let run: () -> Void
    init(name: String, run: @escaping () -> Void) {
      self.name = name
      self.run = run
    }
  }

  /// In place of the 8 MiB that are usual: so large a stack may get a huge page of 2 MiB where a few KiB would do.
  private static let stackSize = 512 << 10

  private let handle: pthread_t
  private var isJoined = false

  /// Starts a thread.
  ///
  /// - Parameter name: what ps(1) and debuggers show; 15 bytes at most.
  /// - Throws: `EAGAIN` when the host has no room for it.
  public init(_ name: String, _ run: @escaping () -> Void) throws(Errno) {
    let body = unsafe Unmanaged.passRetained(Body(name: name, run: run))
    var handle = pthread_t()
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    defer { unsafe pthread_attr_destroy(&attributes) }
    unsafe pthread_attr_setstacksize(&attributes, Self.stackSize)
    let status = unsafe pthread_create(
      &handle, &attributes,
      { argument in
        let body = unsafe Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue()
        _ = unsafe body.name.withCString { unsafe clinux_set_thread_name($0) }
        body.run()
        return nil
      }, body.toOpaque())
    guard status == 0 else {
      unsafe body.release()
      throw Errno(status)
    }
    self.handle = handle
  }

  deinit {
    if !isJoined { pthread_detach(handle) }
  }

  /// Waits for the thread's end. Once.
  public func join() {
    isJoined = true
    pthread_join(handle, nil)
  }

  /// Interrupts a system call that the thread is in, by `Signals.kick`.
  public func kick() {
    pthread_kill(handle, Signals.kick)
  }
}
