import AgentProtocol
import Glibc
import Host
import NovmKit

/// A command in a machine, from its start to its end; a thread of the library's moves its streams.
///
/// Any thread may use it, and several at once. A command that nobody holds any more, or that is canceled, gets SIGHUP, and
/// two seconds later SIGKILL.
public final class RunningCommand: Sendable {
  private let work: CommandWork

  init(_ command: Command, vsock: String, machine: String) throws(Failure) {
    work = try CommandWork(command, vsock: vsock, machine: machine)
    let work = work
    try Work.thread("novm-command") { work.run() }
  }

  deinit { work.order(.cancel) }

  /// Readable once the command has ended, for the caller's own loop; stays the library's.
  public var descriptor: Int32 { work.ended.raw }

  /// Waits for the command's end, and for its output.
  ///
  /// - Returns: its exit status; 128 and the signal's number if a signal ended it, 124 if ``Command/limit`` did.
  /// - Throws: ``Failure/Code/timedOut``, after which one may wait again; ``Failure/Code/command`` if it could not be run,
  ///   ``Failure/Code/machine`` or ``Failure/Code/notRunning`` if its machine ended.
  public func wait(_ patience: Duration = .forever) throws(Failure) -> Int32 {
    let deadline = patience.deadline
    while true {
      if let result = work.result { return try result.get() }
      var interest = pollfd(fd: work.ended.raw, events: Int16(POLLIN), revents: 0)
      let count = unsafe poll(&interest, 1, deadline.map { Int32(clamping: $0.millisecondsLeft) } ?? -1)
      if count == 0 { throw Failure(.timedOut, "the command has not ended yet", about: work.name) }
    }
  }

  /// The same for Swift's concurrency. Its task's cancellation cancels the command.
  public func end() async throws(Failure) -> Int32 {
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in work.whenEnded { continuation.resume(returning: $0) } }
    } onCancel: {
      work.order(.cancel)
    }
    return try result.get()
  }

  /// Sends a signal to the command, if it has not ended yet.
  public func signal(_ number: Int32) throws(Failure) {
    guard (1...64).contains(number) else {
      throw Failure(.argument, "\(number) is no signal's number", about: "signal")
    }
    work.order(.signal(number))
  }

  /// Tells the command's terminal its size.
  public func resize(_ terminal: Command.Terminal) {
    work.order(.resize(WindowSize(rows: terminal.rows, columns: terminal.columns)))
  }

  /// Gives it up.
  public func cancel() { work.order(.cancel) }

  /// What it wrote to standard output so far, if that is collected.
  public var output: [UInt8] { work.output?.contents ?? [] }
  /// The same of standard error.
  public var error: [UInt8] { work.error?.contents ?? [] }
  /// Whether it wrote more than was to be collected.
  public var isTruncated: Bool { work.output?.isTruncated == true || work.error?.isTruncated == true }

  /// Takes the first of what was collected away: of standard error, or else of standard output.
  package func take(_ count: Int, ofError: Bool) -> [UInt8] { (ofError ? work.error : work.output)?.take(count) ?? [] }
}

extension MonotonicTime {
  /// Rounded up; none if it has passed.
  var millisecondsLeft: Int64 {
    let now = Self.now.nanoseconds
    return nanoseconds <= now ? 0 : Int64(clamping: (nanoseconds - now + 999_999) / 1_000_000)
  }
}
