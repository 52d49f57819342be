import AgentProtocol
import CGuest

/// PID 1: from the kernel's first process to a machine that takes commands.
enum Startup {
  static func run() -> Never {
    StandardMounts.mountEarly()
    Machine.openStandardStreams()
    Machine.catchControlAltDelete()
    var arguments = KernelArguments((try? Files.contents("/proc/cmdline")) ?? [])
    let ending = MachineEnding(powerOff: arguments.powerOff)
    Modules.load(arguments)
    raise()
    do throws(Failure) {
      if arguments.waits { try begin(&arguments) }
      try RootFileSystem(arguments: arguments).enter()
      StandardMounts.mountInTree(arguments)
      Disks.link(arguments)
      PersistentMemory.prepare(arguments)
      try SharedDirectories.mount(arguments)
      StandardMounts.mountTemporary(arguments)
      DeviceNodes.make()
      configure(arguments)
      if arguments.ownInit.isEmpty { try serve(ending) }
      try TreeInit.start(arguments.ownInit)
    } catch {
      giveUp(error, ending)
    }
    do throws(Failure) {
      try serve(InitEnding(ending))
    } catch {
      // The machine is another's to end by now.
      Log.error(error.message)
      _exit(1)
    }
  }

  /// What is the same in every machine.
  private static func raise() {
    do throws(SystemError) { try Machine.raiseLoopback() } catch {
      Log.warning("cannot raise the loopback interface: " + error.text)
    }
    do throws(SystemError) { try Machine.raiseFileLimit() } catch {
      Log.warning("cannot raise the limit of open files: " + error.text)
    }
  }

  private static func configure(_ arguments: KernelArguments) {
    do throws(SystemError) {
      if !arguments.hostName.isEmpty { try Machine.setHostName(arguments.hostName) }
    } catch {
      Log.warning("cannot set the host name: " + error.text)
    }
    if !arguments.hostName.isEmpty, !arguments.keeps(HostsFile.path) { HostsFile.name(arguments.hostName) }
    if arguments.keeps(ResolverFile.path) { ResolverFile.stayApart() }
    if !arguments.cards.isEmpty { Network.configure(arguments.cards, hostName: arguments.hostName) }
    // From kvmclock; the host may mend it. Without either files are older than their makers, which is worth a word.
    if Clock.wallSeconds < Clock.earliestPlausible { Log.warning("the clock is not set") }
  }

  /// The connection by which the host has said which machine this is to be, where it has: it is the one that is kept.
  private nonisolated(unsafe) static var host: Int32 = -1

  /// Waits to be told which machine this is to be: until then there is nothing of any in it, so that its state does for all of
  /// its kind (docs/agent-protocol.md, "Beginning").
  private static func begin(_ arguments: inout KernelArguments) throws(Failure) {
    do throws(SystemError) {
      let beginning = try Beginning(on: Socket.listen(vsockPort: Agent.port)) { tell(hello) }
      unsafe host = beginning.host
      setClock(beginning.time)
      // What the user adds stands behind, as where all of it is on the command line.
      arguments = KernelArguments(words: beginning.words + arguments.words)
    } catch {
      throw vsockFailure(error)
    }
  }

  private static func serve(_ ending: any Ending) throws(Failure) -> Never {
    let server: CommandServer
    do throws(SystemError) {
      server = try CommandServer(
        Socket.listen(vsockPort: Agent.port), greeting: Greeting(hello, clock: setClock, open: connect), ending: ending)
    } catch {
      throw vsockFailure(error)
    }
    server.run()
  }

  private static func vsockFailure(_ error: SystemError) -> Failure {
    Failure(.system, error, "cannot listen on vsock; the kernel needs vsock and vmw_vsock_virtio_transport")
  }

  private static var hello: Frame { .hello(Hello(kernelRelease: Machine.kernelRelease)) }

  private static func connect() throws(SystemError) -> Descriptor {
    guard unsafe host >= 0 else { return try Socket.connect(hostPort: Agent.port) }
    defer { unsafe host = -1 }
    return unsafe Descriptor(owning: host)
  }

  private static func setClock(_ time: WallTime) {
    do throws(SystemError) { try Clock.follow(time) } catch { Log.warning("cannot set the clock: " + error.text) }
  }

  /// Tells the host in place of `hello` why there is no machine, and powers off.
  private static func giveUp(_ failure: Failure, _ ending: MachineEnding) -> Never {
    Log.error(failure.message)
    tell(.failed(failure))
    ending.settle()
    ending.end(.powerOff)
  }

  /// Tells the host something before there is a server, in no more than two seconds. Another host, with which the machine goes on
  /// meanwhile, is not told: it knows.
  private static func tell(_ frame: Frame) {
    let greeting = Greeting(frame, isLasting: false, open: connect)
    // Until the host has closed the connection, which says that it has read it; the connection alone would not.
    let end = Clock.milliseconds + 2000
    while !greeting.isOver, Clock.milliseconds < end {
      var poll = Poll<CommandServer.Source>()
      greeting.register(in: &poll)
      for (_, readiness) in (try? poll.wait(milliseconds: 50)) ?? [] { greeting.ready(readiness) }
      greeting.advance(now: Clock.milliseconds)
    }
  }
}
