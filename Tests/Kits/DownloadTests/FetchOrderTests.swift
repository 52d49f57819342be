import Testing

@testable import Download

struct FetchOrderTests {
  @Test func words() throws {
    var download = try Download("https://x/y?a=b", limit: .max)
    #expect(FetchOrder(FetchOrder(download, file: 5, report: 6).words) == FetchOrder(download, file: 5, report: 6))
    download.resumes = true
    download.attempts = 9
    download.pause = 1
    download.silence = 2
    let order = FetchOrder(download, file: 5, report: 6)
    #expect(FetchOrder(order.words) == order)
  }

  @Test(arguments: [
    [], ["http://x"], ["--file=fd:1", "http://x"], ["--file=1", "--report=fd:2", "http://x"],
    ["--file=fd:1", "--report=fd:2", "x"], ["--file=fd:1", "--report=fd:2", "--other", "http://x"],
    ["--file=fd:1", "--report=fd:2", "", "http://x"],
  ])
  func others(_ words: [String]) {
    #expect(FetchOrder(words.map { Array($0.utf8) }) == nil)
  }
}
