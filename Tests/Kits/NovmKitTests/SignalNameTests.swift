import Glibc
import NovmKit
import Testing

struct SignalNameTests {
  @Test(arguments: [
    ("TERM", SIGTERM), ("SIGTERM", SIGTERM), ("sigquit", SIGQUIT), ("WINCH", SIGWINCH), ("9", SIGKILL), ("64", 64),
    ("RTMIN", 34), ("SIGRTMIN+3", 37), ("RTMAX-3", 61), ("RTMAX", 64), ("SYS", SIGSYS), ("IO", SIGIO),
  ])
  func names(text: String, number: Int32) { #expect(SignalName.number(text) == number) }

  @Test(arguments: [
    "", "SIG", "0", "65", "-1", "+9", "RTMIN-1", "RTMAX+1", "RTMIN+", "RTMIN+99", "RTMIN+3x", "SIG9", "TERM ", "NOSUCH",
    "100",
  ])
  func others(text: String) { #expect(SignalName.number(text) == nil) }
}
