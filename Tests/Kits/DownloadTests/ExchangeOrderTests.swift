import Testing

@testable import Download

struct ExchangeOrderTests {
  @Test func words() throws {
    var exchange = try Exchange("https://x/y?a=b", limit: 7)
    exchange.method = .patch
    exchange.fields = [.init("Authorization", "Bearer secret: x"), .init("Accept", "*/*")]
    exchange.trust.verifies = false
    exchange.verifiesElsewhere = false
    exchange.trust.authorities = Array("-----\n".utf8)
    exchange.content = .file(9, 3..<8)
    exchange.resumes = true
    exchange.wantsWords = false
    exchange.time = 4
    let order = ExchangeOrder(exchange, order: 4, answer: 5, report: 6)
    let contents = ExchangeOrder.contents(of: exchange)
    #expect(ExchangeOrder(order.words) { _ in contents } == order)
    exchange.content = .bytes(Array("a=b".utf8))
    let second = ExchangeOrder(exchange, order: 4, answer: 5, report: 6)
    #expect(ExchangeOrder(second.words) { _ in ExchangeOrder.contents(of: exchange) } == second)
    // Everybody on the host can read a process's arguments.
    #expect(!order.words.contains { String(decoding: $0, as: UTF8.self).contains("secret") })
    #expect(ExchangeOrder(order.words) { _ in Array(contents.dropFirst(20)) } == nil)
    #expect(ExchangeOrder(order.words.dropLast()) { _ in contents } == nil)
  }
}
