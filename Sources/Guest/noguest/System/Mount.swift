import CGuest

/// mount(2) and umount2(2).
enum Mount {
  static func attach(
    _ source: Bytes, at target: Bytes, type: Bytes, flags: Int32 = 0, data: Bytes = []
  ) throws(SystemError) {
    let result = unsafe source.withCString { source in
      unsafe target.withCString { target in
        unsafe type.withCString { type in
          unsafe data.withCString { unsafe mount(source, target, type, UInt(flags), $0) }
        }
      }
    }
    try check(result)
  }

  /// Shows the file `source` in place of `target`, which stays as it is.
  static func cover(_ target: Bytes, with source: Bytes) throws(SystemError) {
    try attach(source, at: target, type: "", flags: Int32(MS_BIND))
  }

  static func move(_ source: Bytes, to target: Bytes) throws(SystemError) {
    try attach(source, at: target, type: "", flags: Int32(MS_MOVE))
  }

  static func remountReadOnly(_ target: Bytes) throws(SystemError) {
    try attach("", at: target, type: "", flags: Int32(MS_REMOUNT | MS_RDONLY))
  }

  static func detach(_ target: Bytes) throws(SystemError) {
    try check(unsafe target.withCString { unsafe umount2($0, 0) })
  }
}
