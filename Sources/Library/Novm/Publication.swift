import Glibc
import Host
import NovmKit

/// A port or socket of the host's that leads into a machine, until it is closed or nobody holds this any more.
///
/// A thread of the library's moves what comes. It ends with this program, and leads nowhere once the machine has ended.
public final class Publication: Sendable {
  private let service: Service

  /// Unchecked: the ports are the thread's alone once it runs.
  private final class Service: @unchecked Sendable {
    private var ports: LatePorts?
    let stop: EventFD
    /// Nobody listens any more.
    let ended: EventFD

    init(_ ports: LatePorts) throws(Errno) {
      self.ports = ports
      stop = try EventFD()
      ended = try EventFD()
    }

    func run() {
      try? ports?.serve(until: stop.raw)
      ports = nil
      ended.signal()
    }
  }

  init(_ ports: LatePorts) throws(Failure) {
    do throws(Errno) { service = try Service(ports) } catch {
      throw Failure(.system, "no descriptor: \(error.description)", about: "eventfd", number: error.code)
    }
    let service = service
    do throws(Failure) {
      try Work.thread("novm-publish") { service.run() }
    } catch {
      // Nobody else would.
      service.ended.signal()
      throw error
    }
  }

  deinit { close() }

  /// Ends it, and the connections by it; returns once the port is free.
  public func close() {
    service.stop.signal()
    var interest = pollfd(fd: service.ended.raw, events: Int16(POLLIN), revents: 0)
    while unsafe poll(&interest, 1, -1) < 0 {}
  }
}

extension Machine {
  /// Leads a port or socket of the host's into this machine, which runs, with or without a network.
  ///
  /// - Parameter port: as `--publish` takes it: `8080:80`, `127.0.0.1:5353:53/udp`, `/run/web.sock:80`. Relative paths start
  ///   at the working directory.
  /// - Throws: ``Failure/Code/inUse`` with the host's error number if nobody can listen there, ``Failure/Code/notRunning``.
  public func publish(_ port: String) throws(Failure) -> Publication {
    let (record, vsock) = (try current(), try vsock())
    let ports = try told { () throws(NovmError) in
      try LatePorts(port, into: record, vsock: vsock, directory: Store.workingDirectory)
    }
    return try Publication(ports)
  }
}
