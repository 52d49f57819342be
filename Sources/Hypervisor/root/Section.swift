import UserRuntime

/// A section of the text module: a program, and what it is given (docs/microhypervisor.md, "What root starts").
struct Section {
  var program: [UInt8] = []
  /// Processors of its threads, the first its own.
  var processors: [UInt64] = []
  /// Bytes of heap, of memory to give away; pages of the kernel's memory.
  var heap: UInt64 = 16 << 20
  var memory: UInt64 = 0
  var quota: UInt64 = 3000
  /// Names of modules that it may read.
  var modules: [[UInt8]] = []
  var ports: [(first: UInt64, count: UInt64)] = []
  var interrupts: [UInt64] = []
  /// Its output and errors go to COM2 and COM3, not to COM1 line by line.
  var hasStreams = false
  /// All is taken from it as soon as its output holds these bytes.
  var until: [UInt8] = []
  /// The lines of the section, which the program gets, too.
  var text: [UInt8] = []

  /// Nil, and the number of the line in `fault`, where one is wrong.
  static func all(in text: [UInt8], fault: inout UInt64) -> [Section]? {
    var sections: [Section] = []
    var number: UInt64 = 0
    for line in text.split(separator: 10, omittingEmptySubsequences: false) {
      number += 1
      guard let directive = Directive.all(in: [UInt8](line)).first else { continue }
      if directive.isKey("program") {
        sections.append(Section(program: directive.value))
        continue
      }
      guard !sections.isEmpty, sections[sections.count - 1].take(directive) else {
        fault = number
        return nil
      }
      sections[sections.count - 1].text += line + [10]
    }
    return sections
  }

  /// Whether the line says something that can be. What is not root's is the program's own affair.
  private mutating func take(_ directive: Directive) -> Bool {
    let words = directive.words
    let numbers = words.compactMap { Directive.number($0) }
    if directive.isKey("processors") {
      processors = numbers
      return numbers.count == words.count && !numbers.isEmpty && numbers.count <= Grants.processorLimit
    }
    if directive.isKey("heap") { return Self.size(directive, &heap) }
    if directive.isKey("memory") { return Self.size(directive, &memory) }
    if directive.isKey("quota") {
      quota = numbers.first ?? 0
      return numbers.count == 1 && words.count == 1
    }
    if directive.isKey("module") {
      guard words.count == 2, modules.count < Grants.moduleLimit else { return false }
      modules.append(words[1])
    }
    if directive.isKey("ports") {
      guard numbers.count == 2, numbers[0] < 65536, numbers[1] <= 65536 - numbers[0] else { return false }
      ports.append((numbers[0], numbers[1]))
    }
    if directive.isKey("interrupt") {
      guard numbers.count == 1, numbers[0] < 192 else { return false }
      interrupts.append(numbers[0])
    }
    if directive.isKey("streams") { hasStreams = true }
    if directive.isKey("until") { until = directive.value }
    return true
  }

  /// MiB, of which there is a power of two.
  private static func size(_ directive: Directive, _ bytes: inout UInt64) -> Bool {
    guard let number = directive.number, number > 0, number <= 2048, number & (number - 1) == 0 else { return false }
    bytes = number << 20
    return true
  }
}
