/// A machine's disk, as `--disk` is told it; or what it has as persistent memory, as `--pmem` is.
package struct Disk: Equatable, Sendable {
  /// What keeps it.
  package enum Source: Equatable, Sendable {
    /// A regular file or a block device.
    case file(Path)
    /// An inherited descriptor of one.
    case descriptor(Int32)
  }

  /// When what the guest writes is on stable storage.
  package enum Cache: String, CaseIterable, Sendable {
    /// After the guest's flush; until then it is in the host's page cache.
    case writeback
    /// After the guest's flush; past the host's page cache.
    case none
    /// Whenever the host likes: flushes do nothing.
    case unsafe
  }

  package var source: Source
  package var isReadOnly = false
  /// What the guest finds it by: up to 20 bytes.
  package var serial: String?
  /// The name of a link to it in the guest's /dev.
  package var name: String?
  /// Bytes, and requests, in a second; as many as may be if nil.
  package var rate: Int?
  package var operations: Int?
  package var cache = Cache.writeback

  package init(_ source: Source) { self.source = source }

  package static let rateRange = 1024...1 << 34
  package static let operationsRange = 1...1 << 30
  /// Virtio 1.2, 5.2.6.
  package static let serialLimit = 20
  /// More have no interrupt, with the devices that every machine has.
  package static let limit = 12

  /// Reads `FILE[,ro][,serial=TEXT][,dev=NAME][,rate=BYTES][,iops=NUMBER][,cache=writeback|none|unsafe]`; FILE is a path, in
  /// which two commas stand for one, or `fd:N`.
  ///
  /// - Parameter isMapped: it is to be memory, which has none of the options but `ro`.
  package init(_ text: [UInt8], isMapped: Bool = false) throws(DiskFault) {
    let (path, options) = Self.split(text)
    guard !path.isEmpty else { throw .noFile }
    if path.starts(with: "fd:".utf8) {
      let word = String(printable: path)
      guard let number = Int32(word.dropFirst(3)), number >= 0 else { throw .descriptor(word) }
      self.init(.descriptor(number))
    } else {
      self.init(.file(Path(path)))
    }
    var seen: Set<String> = []
    for option in options {
      let word = String(printable: option)
      let key = String(word.prefix { $0 != "=" })
      guard seen.insert(key).inserted else { throw .twice(key) }
      if isMapped, key != "ro" { throw .onlyReadOnly(key) }
      try read(key, key.utf8.count < word.utf8.count ? String(word.dropFirst(key.count + 1)) : nil)
    }
    // The guest finds the disk of a link by its serial number.
    serial = serial ?? name
  }

  private mutating func read(_ key: String, _ value: String?) throws(DiskFault) {
    switch (key, value) {
    case ("ro", nil): isReadOnly = true
    case ("ro", _): throw .value(key)
    case ("serial", let text?):
      guard Self.isWord(text) else { throw .serial(text) }
      serial = text
    case ("dev", let text?):
      guard Self.isWord(text), text.utf8.allSatisfy({ $0 != UInt8(ascii: ":") }) else { throw .name(text) }
      guard !Self.isOfGuest(text) else { throw .nameOfGuest(text) }
      name = text
    case ("cache", let text?):
      guard let cache = Cache(rawValue: text) else { throw .cache(text) }
      self.cache = cache
    case ("rate", let text?): rate = try Self.number(text, key, Self.rateRange)
    case ("iops", let text?): operations = try Self.number(text, key, Self.operationsRange)
    case ("serial", nil), ("dev", nil), ("cache", nil), ("rate", nil), ("iops", nil): throw .noValue(key)
    default: throw .unknownKey(key)
    }
  }

  /// As ``init(_:)`` reads it.
  package var argument: [UInt8] {
    var result: [UInt8]
    switch source {
    case .file(let path): result = Self.escaped(path.bytes)
    case .descriptor(let number): result = Array("fd:\(number)".utf8)
    }
    var words: [String] = []
    if isReadOnly { words.append("ro") }
    if let serial { words.append("serial=\(serial)") }
    if let name { words.append("dev=\(name)") }
    if let rate { words.append("rate=\(rate)") }
    if let operations { words.append("iops=\(operations)") }
    if cache != .writeback { words.append("cache=\(cache.rawValue)") }
    for word in words { result += Array(",\(word)".utf8) }
    return result
  }

  /// A serial number that two of the disks have.
  package static func repeatedSerial(_ disks: [Disk]) -> String? {
    var seen: Set<String> = []
    return disks.compactMap(\.serial).first { !seen.insert($0).inserted }
  }

  /// A link that two of the disks have.
  package static func repeatedName(_ disks: [Disk]) -> String? {
    var seen: Set<String> = []
    return disks.compactMap(\.name).first { !seen.insert($0).inserted }
  }

  private static let comma = UInt8(ascii: ",")

  private static func split(_ text: [UInt8]) -> (path: [UInt8], options: [[UInt8]]) {
    var path: [UInt8] = []
    var index = 0
    while index < text.count {
      if text[index] == comma {
        guard index + 1 < text.count, text[index + 1] == comma else { break }
        index += 1
      }
      path.append(text[index])
      index += 1
    }
    guard index < text.count else { return (path, []) }
    return (path, text[(index + 1)...].split(separator: comma, omittingEmptySubsequences: false).map(Array.init))
  }

  private static func escaped(_ path: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    for byte in path { result += byte == comma ? [comma, comma] : [byte] }
    return result
  }

  /// What a kernel's command line and a name in /dev can be without any quoting.
  private static func isWord(_ text: String) -> Bool {
    (1...serialLimit).contains(text.utf8.count) && text != "." && text != ".."
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        default: "-_.:+".utf8.contains(byte)
        }
      }
  }

  /// What Linux names itself in /dev: a link by that name would lead nowhere, or be another disk.
  private static func isOfGuest(_ name: String) -> Bool {
    var base = name[...]
    while let last = base.utf8.last, (0x30...0x39).contains(last) { base.removeLast() }
    if base.hasPrefix("vd"), base.utf8.count > 2, base.utf8.dropFirst(2).allSatisfy({ (0x61...0x7a).contains($0) }) {
      return true
    }
    return guestNames.contains(String(base))
  }

  /// Without the numbers behind them.
  private static let guestNames = Set(
    """
    block bus char console cpu cpu_dma_latency disk fd full fuse hpet hvc hwrng input kmsg kvm log loop loop-control mapper mem
    mqueue net null nvram pmem port ptmx pts ram random rtc shm snapshot stderr stdin stdout tty ttyS urandom vcs vcsa vcsu
    vhost-net vsock zero
    """.split(whereSeparator: \.isWhitespace).map(String.init))

  private static func number(_ text: String, _ key: String, _ range: ClosedRange<Int>) throws(DiskFault) -> Int {
    guard let number = Quantity.parse(text, in: range) else { throw .number(key, range) }
    return number
  }
}
