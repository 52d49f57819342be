import Glibc
import Host
import Logging
import Store

/// Ports and sockets of the host's that lead into a machine which runs already, served by whoever asked for them.
package final class LatePorts {
  private let loop = PollLoop()
  private let forwards: PortForwards

  /// Listens.
  ///
  /// - Parameters:
  ///   - argument: as `--publish` takes it.
  ///   - directory: what relative paths of the host are relative to.
  ///   - vsock: the running machine's.
  package init(
    _ argument: String, into record: MachineRecord, vsock: String, directory: [UInt8]
  ) throws(NovmError) {
    guard let ports = PublishedPort.ports(argument, directory: directory) else { throw .published(argument) }
    guard let definition = MachineDefinition(record) else {
      throw .machineDefinition("\(record.path)/\(MachineDefinition.file)")
    }
    let request = try MachineRequest(definition.machine, directory: [UInt8(ascii: "/")])
    forwards = try PortForwards(
      ports.flatMap(\.listeners), vsock: vsock, toCard: request.hasCards, loop: loop,
      logger: Logger(label: "novm") { _ in SwiftLogNoOpLogHandler() })
    forwards.open()
  }

  /// Lets in who comes, until a descriptor is readable.
  package func serve(until end: Int32) throws(NovmError) {
    let end = End(end)
    loop.add(end)
    defer { loop.remove(end) }
    try loop.run { end.isThere }
  }

  private final class End: PollSource {
    private let descriptor: Int32
    private(set) var isThere = false

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    var interest: PollInterest? { PollInterest(descriptor, POLLIN) }

    func ready(_ events: Int32) { isThere = true }
  }
}
