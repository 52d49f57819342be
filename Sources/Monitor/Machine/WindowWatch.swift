import FileSystem
import Host

/// Mends the DAX window when the host shortens a file that the guest has mapped.
final class WindowWatch: EventHandler {
  private let server: FileSystemServer

  init(_ server: FileSystemServer) { self.server = server }

  func ready(_ events: EventLoop.Events) { server.mendShortened() }
}
