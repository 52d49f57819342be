/// IOCTL (`fuse_ioctl_in`); what the caller passes in follows.
package struct IoctlRequest: Sendable {
  /// Longest input that is taken: an fs-verity request with its salt and signature.
  package static let maximumInput: UInt32 = 32768

  package let command: UInt32
  /// What the caller passes in.
  package let input: [UInt8]
  /// Bytes that the caller takes.
  package let outputSize: UInt32

  package init(_ reader: inout RequestReader) throws(MessageError) {
    try reader.skip(12)
    command = try reader.load()
    try reader.skip(8)
    let inputSize: UInt32 = try reader.load()
    outputSize = try reader.load()
    guard inputSize <= IoctlRequest.maximumInput else { throw .truncated }
    input = try reader.bytes(Int(inputSize))
  }
}

/// Reply to IOCTL (`fuse_ioctl_out`), and what the caller gets.
package struct IoctlReply: Sendable {
  package var output: [UInt8]

  package init(output: [UInt8] = []) { self.output = output }

  package func write(to reply: inout ReplyWriter) throws(MessageError) {
    // Result, flags, and two counts for clients that may be told to come again, which ours may not.
    try reply.pad(16)
    try reply.append(output)
  }
}
