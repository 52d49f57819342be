import CYAML

/// A YAML document (YAML 1.1, by libyaml), as far as descriptions of machines need one: scalars as the text that stands
/// there, lists, and maps in their order. Tags have no meaning; anchors and aliases are refused.
package struct YAMLNode: Equatable, Sendable {
  package enum Content: Equatable, Sendable {
    /// - isPlain: without quotes, so that `true` and nothing at all mean themselves.
    case scalar(String, isPlain: Bool)
    case list([YAMLNode])
    case map([Entry])
  }

  package struct Entry: Equatable, Sendable {
    package var key: String
    package var line: Int
    package var value: YAMLNode
  }

  package var content: Content
  /// From 1 on.
  package var line: Int

  /// Why a text is no document that is understood.
  package struct Fault: Error, Equatable {
    /// From 1 on; 0 for the text as a whole.
    package var line: Int
    package var message: String

    package init(line: Int, message: String) {
      self.line = line
      self.message = message
    }
  }

  /// Parses the first document; nil for a text without one.
  package static func parse(_ text: [UInt8]) throws(Fault) -> YAMLNode? {
    // Lists within lists within lists say nothing about a machine.
    try YAMLParser(text).document(depthLimit: 8)
  }
}

/// libyaml's parser, one event at a time.
///
/// Safe: parser and text are this value's alone, from `init` to `deinit`; libyaml reads no more of the text than it was told,
/// and each event is released before the next.
@safe private final class YAMLParser {
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let text: UnsafeMutableBufferPointer<UInt8>

  init(_ bytes: [UInt8]) {
    unsafe text = .allocate(capacity: max(1, bytes.count))
    _ = unsafe text.initialize(from: bytes)
    unsafe parser = .allocate(capacity: 1)
    unsafe parser.initialize(to: yaml_parser_t())
    _ = unsafe yaml_parser_initialize(parser)
    unsafe yaml_parser_set_input_string(parser, text.baseAddress, bytes.count)
  }

  deinit {
    unsafe yaml_parser_delete(parser)
    unsafe parser.deallocate()
    unsafe text.deallocate()
  }

  private enum Event: Equatable {
    case scalar(String, isPlain: Bool)
    case listStart, listEnd, mapStart, mapEnd
    case streamEnd
    /// The beginning of the stream, and of a document, and its end.
    case frame
    case alias
  }

  func document(depthLimit: Int) throws(YAMLNode.Fault) -> YAMLNode? {
    while true {
      let (event, line) = try next()
      switch event {
      case .frame: continue
      case .streamEnd: return nil
      default: return try node(event, line, depth: depthLimit)
      }
    }
  }

  private func node(_ event: Event, _ line: Int, depth: Int) throws(YAMLNode.Fault) -> YAMLNode {
    guard depth > 0 else { throw YAMLNode.Fault(line: line, message: "nested too deeply") }
    switch event {
    case .scalar(let text, let isPlain): return YAMLNode(content: .scalar(text, isPlain: isPlain), line: line)
    case .listStart:
      var items: [YAMLNode] = []
      while true {
        let (event, line) = try next()
        if event == .listEnd { break }
        items.append(try node(event, line, depth: depth - 1))
      }
      return YAMLNode(content: .list(items), line: line)
    case .mapStart:
      var entries: [YAMLNode.Entry] = []
      while true {
        let (event, keyLine) = try next()
        if event == .mapEnd { break }
        guard case .scalar(let key, _) = event else {
          throw YAMLNode.Fault(line: keyLine, message: "a name must be a word")
        }
        if entries.contains(where: { $0.key == key }) {
          throw YAMLNode.Fault(line: keyLine, message: "\(key): given twice")
        }
        let (valueEvent, valueLine) = try next()
        entries.append(.init(key: key, line: keyLine, value: try node(valueEvent, valueLine, depth: depth - 1)))
      }
      return YAMLNode(content: .map(entries), line: line)
    // Either without the other would be taken for something else than was meant.
    case .alias: throw YAMLNode.Fault(line: line, message: "anchors and aliases are not understood")
    case .listEnd, .mapEnd, .streamEnd, .frame: throw YAMLNode.Fault(line: line, message: "ends too early")
    }
  }

  private func next() throws(YAMLNode.Fault) -> (Event, line: Int) {
    var event = unsafe yaml_event_t()
    guard unsafe yaml_parser_parse(parser, &event) != 0 else {
      let line = unsafe Int(parser.pointee.problem_mark.line) + 1
      let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "cannot be read"
      throw YAMLNode.Fault(line: line, message: problem)
    }
    defer { unsafe yaml_event_delete(&event) }
    let line = unsafe Int(event.start_mark.line) + 1
    let hasAnchor =
      switch unsafe event.type {
      case YAML_SCALAR_EVENT: unsafe event.data.scalar.anchor != nil
      case YAML_SEQUENCE_START_EVENT: unsafe event.data.sequence_start.anchor != nil
      case YAML_MAPPING_START_EVENT: unsafe event.data.mapping_start.anchor != nil
      default: false
      }
    if hasAnchor { return (.alias, line) }
    switch unsafe event.type {
    case YAML_SCALAR_EVENT:
      let scalar = unsafe event.data.scalar
      let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
      let isPlain = unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE
      return (.scalar(unsafe String(decoding: bytes, as: UTF8.self), isPlain: isPlain), line)
    case YAML_SEQUENCE_START_EVENT: return (.listStart, line)
    case YAML_SEQUENCE_END_EVENT: return (.listEnd, line)
    case YAML_MAPPING_START_EVENT: return (.mapStart, line)
    case YAML_MAPPING_END_EVENT: return (.mapEnd, line)
    case YAML_ALIAS_EVENT: return (.alias, line)
    case YAML_STREAM_END_EVENT, YAML_NO_EVENT: return (.streamEnd, line)
    default: return (.frame, line)
    }
  }
}
