import Glibc
import Host
import Testing

@testable import Novm

/// Pools whose machines do not come up, which need no KVM.
struct PoolTests {
  private let novm: NovmProgram
  private let store: Store

  init() throws {
    novm = try NovmProgram()
    store = try Store(root: "\(novm.directory)/store", programs: "\(novm.directory)/libexec")
  }

  /// What a call fails with; nil if it does not.
  private static func code(_ body: () throws(Failure) -> Void) -> Failure.Code? {
    do throws(Failure) {
      try body()
      return nil
    } catch {
      return error.code
    }
  }

  @Test func sizesAndNames() throws {
    for size in [-1, 0, 1025, .max] {
      #expect(Self.code { () throws(Failure) in _ = try Pool(store, Description(), size: size) } == .argument)
    }
    var named = Description()
    try named.set("name", "one")
    #expect(Self.code { () throws(Failure) in _ = try Pool(store, named, size: 1) } == .argument)
  }

  /// There is no kernel, which each call tells until the pool is closed.
  @Test func whatKeepsThemIsTold() throws {
    let pool = try Pool(store, Description(), size: 2)
    for _ in 0..<2 { #expect(Self.code { () throws(Failure) in _ = try pool.take(.seconds(60)) } == .missing) }
    pool.close()
    #expect(Self.code { () throws(Failure) in _ = try pool.take() } == .canceled)
    pool.close()
  }

  private final class Answer: @unchecked Sendable { var code: Failure.Code? }

  /// Machines wait for a kernel that nobody describes.
  @Test func whoWaitsIsToldThatItIsClosed() throws {
    let bundle = try novm.write("store/kernels/slow/bundle.json", "")
    try #require(unlink(bundle) == 0 && mkfifo(bundle, 0o600) == 0)
    var description = Description()
    try description.set("kernel", "slow")
    let pool = try Pool(store, description, size: 1)
    #expect(Self.code { () throws(Failure) in _ = try pool.take(.milliseconds(50)) } == .timedOut)
    let answer = Answer()
    let waiter = try Thread("waiter") { answer.code = Self.code { () throws(Failure) in _ = try pool.take() } }
    let closer = try Thread("closer") { pool.close() }
    waiter.join()
    #expect(answer.code == .canceled)
    // The machine that was on its way ends before the call does.
    close(open(bundle, O_WRONLY))
    closer.join()
  }
}
