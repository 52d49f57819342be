import Host

/// Where a command's output goes.
package protocol CommandOutput: PollSource {
  /// Bytes that wait to be written.
  var pending: Int { get }
  /// Bytes that nobody was left to read.
  var dropped: Int { get }
  /// Called once when nobody reads any more, with why.
  var onBreak: (Errno) throws(NovmError) -> Void { get set }
  func write(_ bytes: ArraySlice<UInt8>) throws(NovmError)
}
