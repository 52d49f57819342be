import Glibc
import Host

/// Starting novm's other programs, with novm's errors.
package enum Program {
  static func start(
    _ program: String, _ arguments: [[UInt8]], output: Int32? = nil, errors: Int32, inherited: [Int32] = [],
    seesOthers: Bool = true
  ) throws(NovmError) -> pid_t {
    do {
      return try Spawn.start(
        program, arguments, output: output, errors: errors, inherited: inherited, seesOthers: seesOthers)
    } catch Errno(ENOENT) {
      throw .programMissing(program)
    } catch {
      throw .damagedProgram(program, error)
    }
  }

  /// As of ``Spawn/startApart(_:_:errors:inherited:environment:)``.
  package static func startApart(
    _ program: String, _ arguments: [[UInt8]], errors: Int32, inherited: [Int32], environment: [[UInt8]]
  ) throws(NovmError) {
    do {
      try Spawn.startApart(program, arguments, errors: errors, inherited: inherited, environment: environment)
    } catch Errno(ENOENT) {
      throw .programMissing(program)
    } catch {
      throw .damagedProgram(program, error)
    }
  }

  package static func pipe() throws(NovmError) -> Pipe {
    do { return try Pipe() } catch { throw .call("pipe", error) }
  }
}
