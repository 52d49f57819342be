import Host

extension MachineDescription.Output {
  /// Opens the channel; descriptors are duplicated, since a console owns its own.
  func open() throws(MachineError) -> TextChannel {
    switch self {
    case .standard: return try Self.channel(output: 1, input: 0, path: "standard output")
    case .descriptor(let number): return try Self.channel(output: number, input: number, path: "fd:\(number)")
    case .socket(let path):
      do throws(Errno) {
        let socket = try UnixSocket.connect(path)
        return TextChannel(output: try FileDescriptor.duplicate(of: socket.raw), input: socket)
      } catch {
        throw .file(path: path, error)
      }
    case .file(let path):
      do throws(Errno) {
        return TextChannel(output: try FileDescriptor.create(path), input: nil)
      } catch {
        throw .file(path: path, error)
      }
    }
  }

  private static func channel(output: Int32, input: Int32, path: Path) throws(MachineError) -> TextChannel {
    do throws(Errno) {
      return TextChannel(
        output: try FileDescriptor.duplicate(of: output), input: try FileDescriptor.duplicate(of: input))
    } catch {
      throw .file(path: path, error)
    }
  }
}

extension MachineDescription {
  /// Has this process be where it is to run, if that is anywhere else. The first of all: what it takes before is another group's.
  package func enterControlGroup() throws(MachineError) {
    guard let controlGroup else { return }
    do throws(Errno) {
      try FileDescriptor(owning: controlGroup).writeAll([UInt8(ascii: "0")])
    } catch {
      throw .host("cgroup", error)
    }
  }
}
