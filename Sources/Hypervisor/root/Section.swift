import UserRuntime

/// A section of the text module: a program, and what it is given (docs/microhypervisor.md, "What root starts").
struct Section {
  /// Which line is wrong, and why.
  struct Fault: Error {
    let line: UInt64
    let why: StaticString
  }

  var program: [UInt8] = []
  /// Processors of its threads, the first its own.
  var processors: [UInt64] = [0]
  /// Bytes of heap, of memory to give away; pages of the kernel's memory.
  var heap: UInt64 = 16 << 20
  var memory: UInt64 = 0
  var quota: UInt64 = 3000
  /// Names of modules that it may read.
  var modules: [[UInt8]] = []
  var ports: [(first: UInt64, count: UInt64)] = []
  var interrupts: [UInt64] = []
  /// Memory of devices: whole pages.
  var physical: [(first: UInt64, size: UInt64)] = []
  /// It is told where its memory is, for its device.
  var hasDevice = false
  /// A service, and services of others.
  var offers: [UInt8] = []
  var uses: [[UInt8]] = []
  /// Its output and errors go to COM2 and COM3, not to COM1 line by line.
  var hasStreams = false
  /// All is taken from it as soon as its output holds these bytes.
  var until: [UInt8] = []
  /// How many times it is started again when it has failed.
  var restarts: UInt64 = 0
  /// The lines of the section, which the program gets, too.
  var text: [UInt8] = []

  static func all(in text: [UInt8]) throws(Fault) -> [Section] {
    var sections: [Section] = []
    var number: UInt64 = 0
    var wanted: [(name: [UInt8], line: UInt64)] = []
    for line in text.split(separator: 10, omittingEmptySubsequences: false) {
      number += 1
      guard let directive = Directive.all(in: [UInt8](line)).first else { continue }
      if directive.isKey("program") {
        guard directive.words.count == 1 else { throw Fault(line: number, why: "a program is the name of a module") }
        sections.append(Section(program: directive.words[0]))
        continue
      }
      guard !sections.isEmpty else { throw Fault(line: number, why: "it is in no program's section") }
      if directive.isKey("offers"), let name = directive.words.first,
        sections.dropLast().contains(where: { $0.offers == name })
      {
        throw Fault(line: number, why: "another offers that")
      }
      if let why = sections[sections.count - 1].take(directive) { throw Fault(line: number, why: why) }
      if directive.isKey("uses") { wanted.append((directive.words[0], number)) }
      sections[sections.count - 1].text += line + [10]
      guard sections[sections.count - 1].text.count <= Int(Grants.textLimit) else {
        throw Fault(line: number, why: "with it the section is longer than 3072 bytes")
      }
    }
    for (name, line) in wanted where !sections.contains(where: { $0.offers == name }) {
      throw Fault(line: line, why: "nobody offers that")
    }
    // Each is started behind what it uses: who waits for itself, by others or not, would wait for good.
    var (rest, ready) = (sections, [[UInt8]]())
    while let next = rest.firstIndex(where: { $0.uses.allSatisfy { name in ready.contains(name) } }) {
      ready.append(rest.remove(at: next).offers)
    }
    for (name, line) in wanted where !ready.contains(name) {
      throw Fault(line: line, why: "it can never be started")
    }
    return sections
  }

  /// Why the line says nothing that can be; nil where it does. What is not root's is the program's own affair.
  private mutating func take(_ directive: Directive) -> StaticString? {
    let words = directive.words
    let numbers = words.compactMap { Directive.number($0) }
    /// As many numbers, and no other words.
    func are(_ count: Int) -> Bool { numbers.count == count && words.count == count }
    if directive.isKey("processors") {
      guard !words.isEmpty, words.count <= Grants.processorLimit, are(words.count) else {
        return "processors are up to 8 numbers"
      }
      processors = numbers
    }
    if directive.isKey("heap") {
      guard let size = Self.size(directive) else { return "a heap is a power of two of MiB, up to 2048" }
      heap = size
    }
    if directive.isKey("memory") {
      guard let size = Self.size(directive) else { return "memory is a power of two of MiB, up to 2048" }
      memory = size
    }
    if directive.isKey("quota") {
      guard are(1) else { return "a quota is a number of pages" }
      quota = numbers[0]
    }
    if directive.isKey("restart") {
      guard are(1) else { return "restart takes how many times" }
      restarts = numbers[0]
    }
    if directive.isKey("module") {
      guard words.count == 2 else { return "a module has a role and a name" }
      guard modules.count < Grants.moduleLimit else { return "a program has up to 8 modules" }
      modules.append(words[1])
    }
    if directive.isKey("ports") {
      guard are(2), numbers[0] < 65536, numbers[1] > 0, numbers[1] <= 65536 - numbers[0] else {
        return "ports are the first and how many, below 65536"
      }
      ports.append((numbers[0], numbers[1]))
    }
    if directive.isKey("interrupt") {
      guard are(1), numbers[0] < 192 else { return "an interrupt is a number below 192" }
      interrupts.append(numbers[0])
    }
    if directive.isKey("physical") {
      guard are(2), numbers[1] > 0, (numbers[0] | numbers[1]) & 4095 == 0, numbers[0] < 1 << 36, numbers[1] <= 1 << 30
      else {
        return "memory of devices is an address and a size, multiples of 4096 up to 1 GiB"
      }
      physical.append((numbers[0], numbers[1]))
    }
    if directive.isKey("dma") {
      guard words.isEmpty else { return "dma takes no words" }
      hasDevice = true
    }
    if directive.isKey("offers") {
      guard words.count == 1, offers.isEmpty else { return "a program offers one service, a word" }
      offers = words[0]
    }
    if directive.isKey("uses") {
      guard words.count == 1, uses.count < Grants.serviceLimit, words[0] != offers else {
        return "a program uses up to 4 services, each a word"
      }
      uses.append(words[0])
    }
    if directive.isKey("streams") {
      guard words.isEmpty else { return "streams takes no words" }
      hasStreams = true
    }
    if directive.isKey("until") {
      guard !directive.value.isEmpty else { return "until takes what the program will say" }
      until = directive.value
    }
    return nil
  }

  /// MiB, of which there is a power of two.
  private static func size(_ directive: Directive) -> UInt64? {
    guard let number = directive.number, number > 0, number <= 2048, number & (number - 1) == 0 else { return nil }
    return number << 20
  }
}
