import Host

/// The text of a manifest:
///
///     novm-pack 1
///     d MODE UID GID TIME PATH                a directory; D if it is opaque
///     f MODE UID GID TIME SIZE DIGEST PATH    a file
///     s MODE UID GID TIME TARGET PATH         a symbolic link
///     p MODE UID GID TIME PATH                a FIFO
///     c MODE UID GID TIME MAJOR MINOR PATH    a character device; b a block device
///     h TARGET PATH                           another name of the file TARGET
///     w PATH                                  a whiteout
///     x NAME VALUE                            an extended attribute of the entry before
///
/// MODE is octal, TIME is seconds, with nine decimals unless they are zero, DIGEST is hexadecimal. In names, targets and
/// values, bytes up to a space, DEL and `\` are `\xHH`; an empty one is `\e`.
enum ManifestText {
  static let heading = "novm-pack 1\n"

  // MARK: Encoding

  static func encode(_ entries: [PackEntry]) -> [UInt8] {
    var text = Array(heading.utf8)
    text.reserveCapacity(entries.count * 128)
    for entry in entries { encode(entry, into: &text) }
    return text
  }

  static func encode(_ entry: PackEntry, into text: inout [UInt8]) {
    let common = "\(String(entry.mode, radix: 8)) \(entry.uid) \(entry.gid) \(time(entry.modified))"
    switch entry.kind {
    case .directory(let isOpaque): text += "\(isOpaque ? "D" : "d") \(common) ".utf8
    case .file(let size, let digest): text += "f \(common) \(size) \(digest.hexadecimal) ".utf8
    case .symlink(let target):
      text += "s \(common) ".utf8
      escape(target, into: &text)
      text.append(space)
    case .fifo: text += "p \(common) ".utf8
    case .device(let isBlock, let major, let minor): text += "\(isBlock ? "b" : "c") \(common) \(major) \(minor) ".utf8
    case .link(let target):
      text += "h ".utf8
      escape(target, into: &text)
      text.append(space)
    case .whiteout: text += "w ".utf8
    }
    escape(entry.path, into: &text)
    text.append(newline)
    encode(entry.attributes, into: &text)
  }

  static func encode(_ attributes: [PackEntry.Attribute], into text: inout [UInt8]) {
    for attribute in attributes {
      text += "x ".utf8
      escape(attribute.name, into: &text)
      text.append(space)
      escape(attribute.value, into: &text)
      text.append(newline)
    }
  }

  static func time(_ time: FileTime) -> String {
    if time.nanoseconds == 0 { return String(time.seconds) }
    let digits = String(time.nanoseconds)
    return "\(time.seconds).\(String(repeating: "0", count: 9 - digits.utf8.count))\(digits)"
  }

  private static let space = UInt8(ascii: " ")
  private static let newline = UInt8(ascii: "\n")
  private static let backslash = UInt8(ascii: "\\")

  static func isEscaped(_ byte: UInt8) -> Bool { byte <= space || byte == 0x7f || byte == backslash }

  private static func escape(_ bytes: [UInt8], into text: inout [UInt8]) {
    if bytes.isEmpty { text += "\\e".utf8 }
    for byte in bytes {
      if isEscaped(byte) {
        let digits = String(byte, radix: 16)
        text += "\\x\(byte < 16 ? "0" : "")\(digits)".utf8
      } else {
        text.append(byte)
      }
    }
  }

  // MARK: Decoding

  /// The entries as they stand there; whether they make a tree is for `Manifest` to see.
  static func decode(_ text: [UInt8]) -> [PackEntry]? {
    guard text.starts(with: heading.utf8), text.last == newline else { return nil }
    var entries: [PackEntry] = []
    for line in text.dropLast().split(separator: newline, omittingEmptySubsequences: false).dropFirst() {
      let fields = line.split(separator: space, omittingEmptySubsequences: false)
      guard fields[0].count == 1, let type = fields[0].first else { return nil }
      if type == UInt8(ascii: "x") {
        guard fields.count == 3, !entries.isEmpty, let name = unescape(fields[1]), let value = unescape(fields[2]),
          !name.isEmpty, !name.contains(0)
        else { return nil }
        let last = entries[entries.count - 1].attributes.last?.name
        if let last, !last.lexicographicallyPrecedes(name) { return nil }
        entries[entries.count - 1].attributes.append(.init(name: name, value: value))
      } else {
        guard let entry = decode(type, fields.dropFirst()) else { return nil }
        entries.append(entry)
      }
    }
    return entries
  }

  private static func decode(_ type: UInt8, _ fields: ArraySlice<ArraySlice<UInt8>>) -> PackEntry? {
    let fields = Array(fields)
    guard let last = fields.last, let path = unescape(last) else { return nil }
    switch (type, fields.count) {
    case (UInt8(ascii: "w"), 1): return PackEntry(path: path, kind: .whiteout)
    case (UInt8(ascii: "h"), 2): return unescape(fields[0]).map { PackEntry(path: path, kind: .link(to: $0)) }
    default: break
    }
    guard fields.count >= 5, let mode = number(fields[0], radix: 8).flatMap({ UInt32(exactly: $0) }), mode <= 0o7777,
      let uid = number(fields[1]).flatMap({ UInt32(exactly: $0) }),
      let gid = number(fields[2]).flatMap({ UInt32(exactly: $0) }), let modified = time(fields[3])
    else { return nil }
    let kind: PackEntry.Kind
    switch (type, fields.count) {
    case (UInt8(ascii: "d"), 5): kind = .directory(isOpaque: false)
    case (UInt8(ascii: "D"), 5): kind = .directory(isOpaque: true)
    case (UInt8(ascii: "p"), 5): kind = .fifo
    case (UInt8(ascii: "f"), 7):
      guard let size = number(fields[4]), let digest = Digest(hexadecimal: fields[5]) else { return nil }
      kind = .file(size: size, digest: digest)
    case (UInt8(ascii: "s"), 6):
      guard let target = unescape(fields[4]), !target.isEmpty, !target.contains(0) else { return nil }
      kind = .symlink(target: target)
    case (UInt8(ascii: "c"), 7), (UInt8(ascii: "b"), 7):
      guard let major = number(fields[4]).flatMap({ UInt32(exactly: $0) }),
        let minor = number(fields[5]).flatMap({ UInt32(exactly: $0) })
      else { return nil }
      kind = .device(isBlock: type == UInt8(ascii: "b"), major: major, minor: minor)
    default: return nil
    }
    return PackEntry(path: path, kind: kind, mode: mode, uid: uid, gid: gid, modified: modified)
  }

  private static func number(_ digits: ArraySlice<UInt8>, radix: UInt64 = 10) -> UInt64? {
    var value: UInt64 = 0
    for digit in digits {
      let digit = UInt64(digit &- UInt8(ascii: "0"))
      let (product, overflow) = value.multipliedReportingOverflow(by: radix)
      let (sum, carry) = product.addingReportingOverflow(digit)
      guard digit < radix, !overflow, !carry else { return nil }
      value = sum
    }
    return digits.isEmpty ? nil : value
  }

  private static func time(_ text: ArraySlice<UInt8>) -> FileTime? {
    let isNegative = text.first == UInt8(ascii: "-")
    let parts = (isNegative ? text.dropFirst() : text).split(
      separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let seconds = number(parts[0]).flatMap({ Int64(exactly: $0) }) else {
      return nil
    }
    var nanoseconds: UInt32 = 0
    if parts.count == 2 {
      guard parts[1].count == 9, let number = number(parts[1]) else { return nil }
      nanoseconds = UInt32(truncatingIfNeeded: number)
    }
    return FileTime(seconds: isNegative ? -seconds : seconds, nanoseconds: nanoseconds)
  }

  private static func unescape(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    if text.elementsEqual("\\e".utf8) { return [] }
    guard text.contains(backslash) else { return text.isEmpty ? nil : Array(text) }
    var bytes: [UInt8] = []
    var index = text.startIndex
    while index < text.endIndex {
      if text[index] != backslash {
        bytes.append(text[index])
        index += 1
        continue
      }
      guard text.endIndex - index >= 4, text[index + 1] == UInt8(ascii: "x"),
        let value = UInt8(String(decoding: text[(index + 2)..<(index + 4)], as: UTF8.self), radix: 16)
      else { return nil }
      bytes.append(value)
      index += 4
    }
    return bytes
  }
}
