import CGuest

/// What a system call answered instead of a result: errno(3).
struct SystemError: Error, Equatable {
  let number: Int32

  init(_ number: Int32) { self.number = number }

  /// The error of the call that has just failed.
  static var last: SystemError { SystemError(cguest_errno()) }

  static let again = SystemError(EAGAIN)
  static let exists = SystemError(EEXIST)
  static let interrupted = SystemError(EINTR)
  static let inProgress = SystemError(EINPROGRESS)
  static let ioError = SystemError(EIO)
  static let noEntry = SystemError(ENOENT)
  static let notDirectory = SystemError(ENOTDIR)
  static let noAccess = SystemError(EACCES)
  /// Of a vsock stream whose host's end was closed it is none: that is an end of file.
  static let notConnected = SystemError(ENOTCONN)
  static let nameTooLong = SystemError(ENAMETOOLONG)

  /// The C library's words for it.
  var text: Bytes {
    var text: Bytes = []
    // strerror(3) never answers null, and ends what it answers with a NUL.
    guard var next = unsafe strerror(number) else { return text }
    while unsafe next.pointee != 0 {
      unsafe text.append(UInt8(bitPattern: next.pointee))
      unsafe next += 1
    }
    return text
  }
}

/// The one gate from a result to an error: calls answer -1 and set errno.
@discardableResult
func check<Result: SignedInteger>(_ result: Result) throws(SystemError) -> Result {
  guard result >= 0 else { throw .last }
  return result
}

extension Bytes {
  /// Calls `body` with the bytes and a NUL behind them, for as long as the call takes.
  func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    var terminated = self
    terminated.append(0)
    return unsafe terminated.withUnsafeBufferPointer { buffer in
      unsafe buffer.withMemoryRebound(to: CChar.self) { characters in
        // Never null: the buffer has at least the NUL.
        unsafe body(characters.baseAddress!)
      }
    }
  }
}
