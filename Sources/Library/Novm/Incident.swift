import Host
import NovmKit

/// Something that went wrong in a machine, which goes on.
public enum Incident: Equatable, Sendable {
  /// The guest's kernel ended a program for want of memory, of which that had so many bytes.
  case outOfMemory(program: String, size: UInt64)
  /// The machine asked its network for what it was not granted: such as `network card 0 does not reach the name example.org`.
  case networkRefused(String)

  /// One line for a person.
  public var message: String {
    switch self {
    case .outOfMemory(let program, let size): "out of memory: the kernel ended \(program), which had \(size >> 20) MiB"
    case .networkRefused(let words): words
    }
  }
}

/// What becomes of a machine.
public enum Event: Equatable, Sendable {
  /// It came to this state.
  case state(MachineState)
  /// This went wrong meanwhile.
  case incident(Incident)
}

/// What went wrong in a machine from some time on, by what is written down of it.
final class IncidentLog {
  private let console: LogTail
  private let network: LogTail
  private var found: [Incident] = []

  /// A guest may make as many as it likes; what nobody takes is not kept beyond this.
  private static let limit = 64

  /// - Parameter directory: the machine's.
  init(_ directory: String) {
    console = LogTail("\(directory)/console")
    network = LogTail("\(directory)/\(NetworkLog.file)")
  }

  /// Files to be watched, by their open descriptors.
  var descriptors: [Int32] { [console.descriptor, network.descriptor].compactMap { $0 } }

  /// The next one.
  ///
  /// - Parameter renewed: called if there are other ``descriptors`` now.
  func next(renewed: () -> Void) -> Incident? {
    if found.isEmpty {
      let isConsoleNew = console.read { line in
        if let kill = OutOfMemoryKill(String(printable: Array(line))) {
          add(.outOfMemory(program: kill.program, size: kill.size))
        }
      }
      let isNetworkNew = network.read { line in
        // Behind its time.
        let words = String(printable: Array(line.drop { $0 != UInt8(ascii: " ") }.dropFirst()))
        if words.contains(NetworkLog.refusal) { add(.networkRefused(words)) }
      }
      if isConsoleNew || isNetworkNew { renewed() }
    }
    return found.isEmpty ? nil : found.removeFirst()
  }

  /// Leaves out what has come since.
  ///
  /// - Parameter renewed: as of ``next(renewed:)``.
  func passOver(renewed: () -> Void) {
    _ = next(renewed: renewed)
    found = []
  }

  private func add(_ incident: Incident) {
    if found.count < Self.limit { found.append(incident) }
  }
}
