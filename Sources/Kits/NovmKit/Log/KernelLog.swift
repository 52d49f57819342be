import Glibc
import Host

/// What a guest's kernel writes to its serial port: errors and its last words, or all that it says where the machine has
/// its log shown. It comes through a pipe, so that no guest fills the host's disk.
final class KernelLog: PollSource {
  /// The end for novmm, until that has it.
  private var writer: FileDescriptor?
  private let reader: FileDescriptor
  private let file: RotatedFile?
  private let screen: (any CommandOutput)?
  /// Of a screen that is a terminal.
  private var text: TerminalText?
  private var tail: [UInt8] = []
  /// The line that is not whole yet.
  private var line: [UInt8] = []
  /// The first program that was ended for want of memory.
  private(set) var outOfMemory: OutOfMemoryKill?
  private var hasEnded = false

  /// - Parameters:
  ///   - path: of a file to keep it in, 1 MiB of it at least; nil for none.
  ///   - screen: where it is shown as well. It is to be in the loop.
  ///   - isTerminal: whether the screen is one, which the guest is not to steer.
  init(path: String?, screen: (any CommandOutput)?, isTerminal: Bool = false) throws(NovmError) {
    text = isTerminal ? TerminalText() : nil
    file = try path.map { path throws(NovmError) in try RotatedFile(path, limit: Self.fileLimit) }
    self.screen = screen
    let pipe = try Program.pipe()
    let (reader, writer) = pipe.split()
    self.reader = FileDescriptor(owning: reader)
    self.writer = FileDescriptor(owning: writer)
    do { try self.reader.setNonblocking() } catch { throw .call("fcntl", error) }
  }

  private static let fileLimit = 1 << 20
  private static let tailLimit = 16 << 10
  /// As much may wait for the screen before the guest does.
  private static let screenLimit = 64 << 10

  /// For novmm to inherit.
  var descriptor: Int32 { writer?.raw ?? -1 }

  /// novmm has its end, so that this one's end of file is novmm's.
  func handedOver() { writer = nil }

  var interest: PollInterest? {
    hasEnded || (screen?.pending ?? 0) > Self.screenLimit ? nil : PollInterest(reader.raw, POLLIN)
  }

  func ready(_ events: Int32) throws(NovmError) {
    var bytes: [UInt8] = []
    switch InputChunk.read(reader.raw, into: &bytes, limit: Self.tailLimit) {
    case .none: break
    case .end: hasEnded = true
    case .bytes:
      file?.append(bytes)
      if outOfMemory == nil { look(at: bytes) }
      tail = (tail + bytes).suffix(Self.tailLimit)
      try screen?.write(text?.take(bytes)[...] ?? bytes[...])
    }
  }

  private func look(at bytes: [UInt8]) {
    line += bytes
    guard let end = line.lastIndex(of: UInt8(ascii: "\n")) else {
      // No line of the kernel's is as long.
      if line.count > Self.lineLimit { line = [] }
      return
    }
    outOfMemory =
      line[..<end].split(separator: UInt8(ascii: "\n")).lazy
      .compactMap { OutOfMemoryKill(String(printable: Array($0))) }.first
    line.removeSubrange(...end)
  }

  private static let lineLimit = 4096

  /// Whether nothing comes any more, and all of it is where it is to be.
  var isDone: Bool { hasEnded && (screen?.pending ?? 0) == 0 }

  /// Where the kernel's own records of its log go, as syslog(2) gives them.
  func records() -> some CommandOutput { Records(self) }

  /// The last lines; none where they have been shown already.
  var lastLines: [String] {
    guard screen == nil else { return [] }
    // What ends the machine ends its last line too, wherever that was.
    let whole = tail.lastIndex(of: UInt8(ascii: "\n")).map { tail[...$0] } ?? tail[...]
    let lines = whole.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
    return lines.map { String(printable: Array($0)) }.filter { !$0.hasSuffix(Self.noise) }.suffix(Self.lineCount)
  }

  /// What Linux says as an error on a machine without a PCI bus, which would pass for the reason of its end.
  private static let noise = "PCI: Fatal: No config space access function found"

  /// A panic's words with the calls that led to it.
  private static let lineCount = 60

  /// Lines behind their levels, such as `<6>`.
  private final class Records: ImmediateOutput {
    private let log: KernelLog
    private var line: [UInt8] = []
    private var count = 0

    init(_ log: KernelLog) { self.log = log }

    func write(_ bytes: ArraySlice<UInt8>) {
      // What is more is no kernel's.
      count += bytes.count
      guard count <= KernelLog.fileLimit else { return }
      line += bytes
      guard let end = line.lastIndex(of: UInt8(ascii: "\n")) else { return }
      var text: [UInt8] = []
      for record in line[..<end].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
        let isRecord = record.first == UInt8(ascii: "<")
        text += isRecord ? record.drop { $0 != UInt8(ascii: ">") }.dropFirst() : record
        text.append(UInt8(ascii: "\n"))
      }
      log.file?.append(text)
      line.removeSubrange(...end)
    }
  }
}
