/// The kernel's tables of mounts (proc(5), fstab(5)).
enum MountTable {
  /// A path with `\040` and its like turned back into the bytes they stand for.
  static func path(_ field: Bytes) -> Bytes {
    var path: Bytes = []
    var index = 0
    while index < field.count {
      if field[index] == UInt8(ascii: "\\"), index + 3 < field.count {
        let digits = field[(index + 1)...(index + 3)].map { $0 &- UInt8(ascii: "0") }
        if digits.allSatisfy({ $0 < 8 }) {
          path.append(digits[0] << 6 | digits[1] << 3 | digits[2])
          index += 4
          continue
        }
      }
      path.append(field[index])
      index += 1
    }
    return path
  }
}
