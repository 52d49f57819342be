import Host

/// The command line of `nofetch` for an exchange: the descriptors that it finds open. What is to be asked stands in the first of
/// them, as `NAME=VALUE` with a NUL behind each.
package struct ExchangeOrder: Equatable, Sendable {
  package let exchange: Exchange
  /// Where all the rest is read from.
  package let order: Int32
  /// What comes is written here.
  package let answer: Int32
  /// What it says goes here (``FetchReport``).
  package let report: Int32

  package init(_ exchange: Exchange, order: Int32, answer: Int32, report: Int32) {
    self.exchange = exchange
    self.order = order
    self.answer = answer
    self.report = report
  }

  package var words: [[UInt8]] {
    ["--exchange=fd:\(order)", "--answer=fd:\(answer)", "--report=fd:\(report)"].map { Array($0.utf8) }
  }

  package static func contents(of exchange: Exchange) -> [UInt8] {
    var bytes: [UInt8] = []
    func add(_ name: String, _ value: some Sequence<UInt8>) {
      bytes += Array(name.utf8) + [UInt8(ascii: "=")] + Array(value) + [0]
    }
    add("method", exchange.method.rawValue.utf8)
    add("address", exchange.address.utf8)
    for field in exchange.fields { add("field", "\(field.name): \(field.value)".utf8) }
    add("verify", exchange.trust.verifies ? "yes".utf8 : "no".utf8)
    add("verify-elsewhere", exchange.verifiesElsewhere ? "yes".utf8 : "no".utf8)
    if !exchange.trust.authorities.isEmpty { add("authorities", exchange.trust.authorities) }
    if !exchange.trust.certificate.isEmpty { add("certificate", exchange.trust.certificate) }
    if !exchange.trust.key.isEmpty { add("key", exchange.trust.key) }
    switch exchange.content {
    case .none: break
    case .bytes(let content): add("content", content)
    case .file(let number, let range): add("upload", "\(number) \(range.lowerBound) \(range.upperBound)".utf8)
    }
    for (name, number) in [
      ("limit", exchange.limit), ("attempts", UInt64(exchange.attempts)), ("pause", UInt64(exchange.pause)),
      ("silence", UInt64(exchange.silence)), ("time", UInt64(exchange.time)), ("resume", exchange.resumes ? 1 : 0),
      ("words", exchange.wantsWords ? 1 : 0),
    ] {
      add(name, String(number).utf8)
    }
    return bytes
  }

  /// - Parameters:
  ///   - words: without the program's name; nil unless they are the ones above.
  ///   - read: reads a descriptor to its end.
  package init?(_ words: [[UInt8]], read: (Int32) -> [UInt8]) {
    let numbers = zip(["--exchange=fd:", "--answer=fd:", "--report=fd:"], words).compactMap { name, word in
      let text = String(decoding: word, as: UTF8.self)
      return text.hasPrefix(name) ? Int32(text.dropFirst(name.count)) : nil
    }
    guard words.count == 3, numbers.count == 3, let exchange = Self.exchange(read(numbers[0])) else { return nil }
    self.init(exchange, order: numbers[0], answer: numbers[1], report: numbers[2])
  }

  private static func exchange(_ contents: [UInt8]) -> Exchange? {
    var values: [String: [[UInt8]]] = [:]
    for part in contents.split(separator: 0) {
      guard let equals = part.firstIndex(of: UInt8(ascii: "=")) else { return nil }
      values[String(decoding: part[..<equals], as: UTF8.self), default: []].append(Array(part[(equals + 1)...]))
    }
    func text(_ name: String) -> String? { values[name]?.first.map { String(decoding: $0, as: UTF8.self) } }
    func number(_ name: String) -> UInt64? { text(name).flatMap { UInt64($0) } }
    guard let method = text("method").flatMap({ Exchange.Method(rawValue: $0) }), let address = text("address"),
      let limit = number("limit"), let attempts = number("attempts"), let pause = number("pause"),
      let silence = number("silence"), let time = number("time"),
      var exchange = try? Exchange(address, limit: limit)
    else { return nil }
    exchange.method = method
    for field in values["field"] ?? [] {
      let parts = String(decoding: field, as: UTF8.self).split(separator: ": ", maxSplits: 1)
      guard parts.count == 2 else { return nil }
      exchange.fields.append(.init(String(parts[0]), String(parts[1])))
    }
    exchange.trust.verifies = text("verify") == "yes"
    exchange.verifiesElsewhere = text("verify-elsewhere") == "yes"
    exchange.trust.authorities = values["authorities"]?.first ?? []
    exchange.trust.certificate = values["certificate"]?.first ?? []
    exchange.trust.key = values["key"]?.first ?? []
    if let content = values["content"]?.first { exchange.content = .bytes(content) }
    if let upload = text("upload") {
      let numbers = upload.split(separator: " ").compactMap { UInt64($0) }
      guard numbers.count == 3, numbers[1] <= numbers[2], let file = Int32(exactly: numbers[0]) else { return nil }
      exchange.content = .file(file, numbers[1]..<numbers[2])
    }
    exchange.attempts = Int(clamping: attempts)
    exchange.pause = UInt32(clamping: pause)
    exchange.silence = Int(clamping: silence)
    exchange.time = Int(clamping: time)
    exchange.resumes = number("resume") == 1
    exchange.wantsWords = number("words") == 1
    return exchange
  }
}
