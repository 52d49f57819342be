import Foundation
import Host
import HostTesting
import Testing

@testable import NovmKit
@testable import Store

/// Machines of a store as others handle them; a shell plays the process that looks after one.
struct StoreMachinesTests {
  private let scratch: TemporaryDirectory
  private let machines: StoreMachines

  init() throws {
    scratch = try TemporaryDirectory()
    let environment = ["NOVM_ROOT": "\(scratch.path)/store", "XDG_RUNTIME_DIR": "\(scratch.path)/run"]
    let paths = StorePaths(environment: environment, userID: 1000, home: scratch.path, workingDirectory: scratch.path)
    machines = StoreMachines(
      paths: paths, programs: InstalledPrograms(directory: scratch.path), novm: "\(scratch.path)/novm")
  }

  private func make() throws -> MachineDirectory {
    try machines.store.create(definition: MachineDefinition(machine: MachineSettings()).json, isKept: true)
  }

  /// What ends a machine waits until it is known who looks after it.
  @Test(arguments: [true, false]) func oneOnItsWayEnds(_ isKilled: Bool) throws {
    var directory: MachineDirectory? = try make()
    let record = try #require(directory?.record)
    let script =
      "sleep 0.3; echo \"{\\\"supervisor\\\": $$}\" > '\(record.path)/s'; mv '\(record.path)/s' '\(record.path)/state.json'; "
      + "exec sleep 1000"
    let process = try Program.start(
      "/bin/sh", ["-c", script].map { Array($0.utf8) }, errors: STDERR_FILENO,
      inherited: [try #require(directory?.lockDescriptor)])
    directory = nil
    let done = DispatchSemaphore(value: 0)
    let (machines, failure) = (machines, Failure())
    let thread = try PosixThread("ending") {
      do {
        if isKilled { try machines.kill(record) } else { try machines.stop(record, grace: 10) }
      } catch {
        failure.error = error
      }
      done.signal()
    }
    #expect(done.wait(timeout: .now() + 20) == .success)
    kill(process, SIGKILL)
    thread.join()
    waitpid(process, nil, 0)
    #expect(failure.error == nil)
    #expect(try !machines.store.isAlive(record))
    if isKilled { #expect(MachineState(record)?.exitStatus == 137) }
  }

  private final class Failure: @unchecked Sendable {
    var error: (any Error)?
  }

  @Test func oneThatHasEndedKeepsHow() throws {
    let record = try make().record
    var state = MachineState()
    state.end(exitStatus: 3)
    try state.write(to: record)
    try machines.kill(record)
    #expect(MachineState(record)?.exitStatus == 3)
  }

  @Test func twoWhoGrantAtOnceLoseNothing() throws {
    var settings = MachineSettings()
    settings.net = .user
    let directory = try machines.store.create(definition: MachineDefinition(machine: settings).json, isKept: true)
    let made = directory.record
    let record = MachineRecord(
      identifier: made.identifier, name: made.name, path: made.path, runtime: made.runtime, isAlive: false)
    let failure = Failure()
    let threads = try (0..<4).map { number in
      try PosixThread("grants") {
        do {
          for count in 0..<25 {
            try GrantChanges(allow: ["m\(number)-\(count).example"], deny: [], remove: []).make(of: record)
          }
        } catch {
          failure.error = error
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(failure.error == nil)
    #expect(Set(MachineDefinition(record)?.machine.allow ?? []).count == 100)
  }
}
