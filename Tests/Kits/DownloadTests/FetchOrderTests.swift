import Testing

@testable import Download

struct FetchOrderTests {
  private func address(_ descriptor: Int32) -> [UInt8] {
    #expect(descriptor == 4)
    return Array("https://me:secret@x/y?a=b".utf8)
  }

  @Test func words() throws {
    var download = try Download("https://me:secret@x/y?a=b", limit: .max)
    let first = FetchOrder(download, address: 4, file: 5, report: 6)
    #expect(FetchOrder(first.words, read: address) == first)
    download.resumes = true
    download.attempts = 9
    download.pause = 1
    download.silence = 2
    let order = FetchOrder(download, address: 4, file: 5, report: 6)
    #expect(FetchOrder(order.words, read: address) == order)
    // Everybody on the host can read a process's arguments.
    #expect(!order.words.contains { String(decoding: $0, as: UTF8.self).contains("secret") })
  }

  @Test(arguments: [
    [], ["--address=fd:4"], ["--address=fd:4", "--file=fd:1"], ["--address=fd:4", "--file=1", "--report=fd:2"],
    ["--address=4", "--file=fd:1", "--report=fd:2"], ["--file=fd:1", "--report=fd:2", "--address=fd:4"],
    ["--address=fd:4", "--file=fd:1", "--report=fd:2", "--other"],
    ["--address=fd:4", "--file=fd:1", "--report=fd:2", ""],
    ["--file=fd:1", "--report=fd:2", "http://x"],
  ])
  func others(_ words: [String]) {
    #expect(FetchOrder(words.map { Array($0.utf8) }, read: address) == nil)
  }

  @Test(arguments: [
    ("https://me:secret@x/y", "https://x/y"), ("http://me@x", "http://x"),
    ("https://a@b:c@x:80?q=@", "https://x:80?q=@"),
    ("https://x/@y", "https://x/@y"), ("HTTPS://me:s@X/", "HTTPS://X/"), ("me:secret@x", "me:secret@x"),
  ])
  func passwordsAreNotShown(_ address: String, _ shown: String) { #expect(Download.shown(address) == shown) }
}
