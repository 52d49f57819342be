import AgentProtocol
import Host
import Logging
import Store

/// A machine that may begin with a template.
final class TemplateStart {
  private let templates: Templates
  private let kind: TemplateKind
  private let words: [[UInt8]]
  private let logger: Logger
  private let isRequired: Bool
  private var isRefused = false
  /// The template, if there is one.
  let found: TemplateStore.Template?
  /// No longer is waited for a guest that is there already.
  let deadline = MonotonicTime.after(milliseconds: 60_000)
  /// Starts the monitor with a boot.
  var boot: () throws(NovmError) -> MachineProcess = { () throws(NovmError) in throw .agentLost }

  /// Tells whoever wants to know all why there is none.
  ///
  /// - Returns: nil for a machine that boots in any case.
  /// - Throws: ``NovmError/noTemplate(_:)`` where it is not to boot.
  init?(
    _ templates: Templates?, _ request: MachineRequest, _ machine: MachineDescription, _ layout: DeviceLayout?,
    novmm: String, _ logger: Logger
  ) throws(NovmError) {
    guard let templates else { return nil }
    let choice = request.template ?? templates.choice
    if choice == .off { return nil }
    if let obstacle = request.templateObstacle(machine) {
      if choice == .require { throw .noTemplate(obstacle) }
      logger.debug("boots, without a template: \(obstacle)")
      return nil
    }
    kind = TemplateKind(machine, layout ?? DeviceLayout(machine), novmm: novmm)
    words = machine.beginningWords
    found = templates.store.find(kind.key)
    self.templates = templates
    isRequired = choice == .require
    self.logger = logger
    if let found {
      logger.debug("begins with the template \(found.path)")
    } else if isRequired {
      throw .noTemplate("there is none for this machine yet")
    } else {
      logger.debug("boots: there is no template \(kind.key) yet")
    }
  }

  /// What is to be made once the machine has what it needs.
  var wanted: TemplateKind? { found.map(\.isOld) ?? true ? kind : nil }

  /// Says which machine it is to be to a guest that waits for that; it then says hello by that connection.
  func tell(_ vsock: String, _ hello: HelloListener) {
    let secret = RandomBytes.make(Self.secretSize).map { max(1, $0) }
    let arguments = [Array("begin".utf8), Array("\(Agent.version)".utf8), secret]
    do throws(NovmError) {
      let connection = try AgentConnection(vsock: vsock)
      hello.adopt(connection)
      connection.onFault = { [weak self] error throws(NovmError) in
        // What the machine was asked to be is not the template's fault.
        if case .guestFailed = error { throw error }
        // Until it has said hello.
        guard let self else { throw error }
        isRefused = true
      }
      try connection.send(.clock(.now))
      try connection.send(.exec(Command(arguments: arguments, environment: words, options: .builtIn)))
    } catch {
      isRefused = true
    }
  }

  /// In bytes, none of them NUL, since a string has none.
  private static let secretSize = 64

  /// Whether the guest has gone, or does not do it.
  func isLost(_ hello: HelloListener) -> Bool { isRefused || hello.isLost }

  /// It came to nothing, so that the machine boots, and the template goes.
  ///
  /// - Parameter end: of its monitor, if that is why.
  /// - Returns: what is to be made anew.
  /// - Throws: ``NovmError/noTemplate(_:)`` where it is not to boot.
  func fails(_ end: MachineEnd?) throws(NovmError) -> TemplateKind {
    if let found { templates.store.remove(found) }
    let why = "the template cannot be used\(end.map { ": \($0.message)" } ?? "")"
    if isRequired {
      logger.debug("\(why)")
      throw .noTemplate("the one that there was cannot be used, and is removed")
    }
    logger.debug("boots: \(why)")
    return kind
  }
}
