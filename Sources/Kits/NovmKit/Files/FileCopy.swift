import AgentProtocol
import Host

/// Files between the host and a guest that runs, as the guest sees them: by its agent.
package struct FileCopy {
  private let vsock: String
  private let takesSignals: Bool
  /// In milliseconds; nil for as long as it takes.
  private let limit: UInt64?
  /// Called with the number of bytes so far, perhaps on another thread.
  private let progress: @Sendable (UInt64) -> Void

  /// - Parameter takesSignals: as of ``BuiltInCall``.
  package init(
    vsock: String, takesSignals: Bool = true, within limit: UInt64? = nil,
    progress: @escaping @Sendable (UInt64) -> Void = { _ in }
  ) {
    self.vsock = vsock
    self.takesSignals = takesSignals
    self.limit = limit
    self.progress = progress
  }

  /// Copies a file or directory out of the guest.
  ///
  /// - Parameter followsLink: whether a symbolic link at `path` stands for what it leads to.
  package func read(_ path: [UInt8], followsLink: Bool, into sink: any FileSink) throws(NovmError) {
    let output = FileStreamOutput(sink, progress: progress)
    let flag = followsLink ? Array("-L".utf8) : []
    try call([Array("send".utf8), flag, Self.absolute(path)]).run(output: output, within: limit)
    guard output.isComplete else { throw .builtIn("the transfer was cut short") }
  }

  /// Copies files into the guest.
  ///
  /// - Parameter keepsOwners: whether users and groups are kept by number; else all is root's.
  package func write(_ source: any FileSource, to path: [UInt8], keepsOwners: Bool) throws(NovmError) {
    let pump = try FilePump(source, progress: progress)
    let flag = keepsOwners ? Array("-a".utf8) : []
    var failure: NovmError?
    do throws(NovmError) {
      try call([Array("receive".utf8), flag, Self.absolute(path)])
        .run(input: pump.descriptor, output: FileStreamOutput(FileCollector()), within: limit)
    } catch {
      failure = error
    }
    // What went wrong with the source is why the agent had to do without the rest.
    try pump.finish()
    if let failure { throw failure }
  }

  private func call(_ words: [[UInt8]]) -> BuiltInCall {
    BuiltInCall(words, vsock: vsock, takesSignals: takesSignals)
  }

  /// The agent's working directory is nobody's.
  private static func absolute(_ path: [UInt8]) -> [UInt8] {
    path.first == UInt8(ascii: "/") ? path : [UInt8(ascii: "/")] + path
  }
}
