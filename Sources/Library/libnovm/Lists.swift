// The names are those of C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CNovm
import Glibc
import Novm
import NovmKit

/// Rows of fields, as C reads them.
///
/// Unchecked: it does not change.
class RowList: @unchecked Sendable {
  typealias Row = [(name: String, value: [UInt8]?)]

  private let rows: [Row]
  private let texts: [[String: UnsafeMutablePointer<CChar>]]

  init(_ rows: [Row]) {
    self.rows = rows
    texts = rows.map { row in
      var texts: [String: UnsafeMutablePointer<CChar>] = [:]
      for field in row {
        guard let value = field.value else { continue }
        texts[field.name] = (value + [0]).withUnsafeBytes {
          strdup($0.baseAddress!.assumingMemoryBound(to: CChar.self))
        }
      }
      return texts
    }
  }

  deinit { for row in texts { for text in row.values { free(text) } } }

  var count: Int { rows.count }

  func text(_ row: Int, _ field: String) throws(Failure) -> UnsafePointer<CChar>? {
    guard rows.indices.contains(row) else { throw Failure(.argument, "there is no row \(row)", about: "\(row)") }
    guard rows[row].contains(where: { $0.name == field }) else {
      let names = rows[row].map(\.name).joined(separator: ", ")
      throw Failure(.argument, "'\(field)' is no field; there are \(names)", about: field)
    }
    return texts[row][field].map { UnsafePointer($0) }
  }

  var json: String {
    let objects = rows.map { row in
      "{"
        + row.compactMap { field in field.value.map { "\(Self.quoted(field.name)):\(Self.quoted(Self.text($0)))" } }
        .joined(separator: ",") + "}"
    }
    return "[" + objects.joined(separator: ",") + "]"
  }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  /// RFC 8259, section 7.
  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}

extension RowList {
  convenience init(_ kernels: [Kernel]) {
    self.init(
      kernels.map { [("name", utf8($0.name)), ("release", utf8($0.release)), ("directory", utf8($0.directory))] })
  }

  convenience init(_ packs: [Pack]) {
    self.init(
      packs.map {
        [
          ("name", utf8($0.name)), ("digest", utf8($0.digest)), ("entries", utf8("\($0.entries)")),
          ("size", utf8("\($0.size)")), ("origin", utf8($0.origin)),
        ]
      })
  }

  convenience init(_ images: [Image]) {
    self.init(
      images.map {
        [
          ("id", utf8($0.identifier)), ("names", utf8($0.names.joined(separator: " "))),
          ("created", $0.created.map(utf8)), ("layers", utf8("\($0.layers)")), ("size", utf8("\($0.size)")),
          ("origin", utf8($0.origin)),
        ]
      })
  }

  convenience init(_ usage: Usage?) {
    func number(_ value: UInt64?) -> [UInt8]? { value.map { utf8("\($0)") } }
    self.init([
      [
        ("host_memory", number(usage?.hostMemory)), ("memory_used", number(usage?.memoryUsed)),
        ("memory_total", number(usage?.memoryTotal)), ("storage_used", number(usage?.storageUsed)),
        ("storage_total", number(usage?.storageTotal)), ("threads", number(usage?.threads.map { UInt64($0) })),
        ("written", number(usage?.written)), ("write_limit", number(usage?.writeLimit)),
        ("nodes", number(usage?.nodes)), ("streams", number(usage?.streams)),
      ]
    ])
  }
}

private func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

@c @implementation
public func novm_list_count(
  _ list: novm_handle, _ count: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    try required(count, "count").pointee = try Handles.all.value(list, RowList.self).count
  }
}

@c @implementation
public func novm_list_text(
  _ list: novm_handle, _ row: Int, _ field: UnsafePointer<CChar>?,
  _ text: UnsafeMutablePointer<UnsafePointer<CChar>?>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(text, "text")
    result.pointee = try Handles.all.value(list, RowList.self).text(row, libnovm.text(field, "field"))
  }
}

@c @implementation
public func novm_list_json(
  _ list: novm_handle, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    try required(json, "json").pointee = strdup(try Handles.all.value(list, RowList.self).json)
  }
}
