import AgentProtocol
import CGuest

/// PID 1: from the kernel's first process to a machine that takes commands.
enum Startup {
  static func run() -> Never {
    StandardMounts.mountEarly()
    Machine.openStandardStreams()
    Machine.catchControlAltDelete()
    let arguments = KernelArguments((try? Files.contents("/proc/cmdline")) ?? [])
    let ending = MachineEnding(powerOff: arguments.powerOff)
    Modules.load(arguments)
    do throws(Failure) {
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

  private static func configure(_ arguments: KernelArguments) {
    do throws(SystemError) {
      if !arguments.hostName.isEmpty { try Machine.setHostName(arguments.hostName) }
    } catch {
      Log.warning("cannot set the host name: " + error.text)
    }
    if !arguments.hostName.isEmpty, !arguments.keeps(HostsFile.path) { HostsFile.name(arguments.hostName) }
    do throws(SystemError) { try Machine.raiseLoopback() } catch {
      Log.warning("cannot raise the loopback interface: " + error.text)
    }
    do throws(SystemError) { try Machine.raiseFileLimit() } catch {
      Log.warning("cannot raise the limit of open files: " + error.text)
    }
    if arguments.keeps(ResolverFile.path) { ResolverFile.stayApart() }
    if !arguments.cards.isEmpty { Network.configure(arguments.cards, hostName: arguments.hostName) }
    // From kvmclock; the host may mend it. Without either files are older than their makers, which is worth a word.
    if Clock.wallSeconds < Clock.earliestPlausible { Log.warning("the clock is not set") }
  }

  private static func serve(_ ending: any Ending) throws(Failure) -> Never {
    let server: CommandServer
    do throws(SystemError) {
      server = try CommandServer(
        Socket.listen(vsockPort: Agent.port),
        greeting: Greeting(.hello(Hello(kernelRelease: Machine.kernelRelease)), clock: setClock) {
          () throws(SystemError) in try Socket.connect(hostPort: Agent.port)
        },
        ending: ending)
    } catch {
      throw Failure(.system, error, "cannot listen on vsock; the kernel needs vsock and vmw_vsock_virtio_transport")
    }
    server.run()
  }

  private static func setClock(_ time: WallTime) {
    do throws(SystemError) { try Clock.follow(time) } catch { Log.warning("cannot set the clock: " + error.text) }
  }

  /// Tells the host in place of `hello` why there is no machine, and powers off.
  private static func giveUp(_ failure: Failure, _ ending: MachineEnding) -> Never {
    Log.error(failure.message)
    let farewell = Greeting(.failed(failure)) { () throws(SystemError) in try Socket.connect(hostPort: Agent.port) }
    // Until the host has closed the connection, which says that it has read it; the connection alone would not.
    let end = Clock.milliseconds + 2000
    while !farewell.isOver, Clock.milliseconds < end {
      var poll = Poll<CommandServer.Source>()
      farewell.register(in: &poll)
      for (_, readiness) in (try? poll.wait(milliseconds: 50)) ?? [] { farewell.ready(readiness) }
      farewell.advance(now: Clock.milliseconds)
    }
    ending.settle()
    ending.end(.powerOff)
  }
}
