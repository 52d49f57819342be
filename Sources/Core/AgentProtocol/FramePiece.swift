/// What a stream holds next, for those who pass data on as it comes.
package enum FramePiece: Equatable, Sendable {
  /// A whole frame that does not carry data.
  case frame(Frame)
  /// The next part of a `stdin`, `stdout` or `stderr` frame: where in the bytes given. Empty for a frame without payload.
  case data(FrameType, Range<Int>)
}
