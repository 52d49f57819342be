import CLinux
import Glibc

/// `/proc/self/fd/N` or `/proc/self/fd/N/NAME`, built inline: the way to calls that take no directory descriptor.
///
/// Only the link of `/proc` itself is followed: N is ours, and the calls used on NAME, all of them of extended attributes, do
/// not follow it (others, such as chmod(2), would). It is empty, and leads nowhere, for what can be no name.
@safe
struct DescriptorPath: ~Copyable {
  private var bytes = InlineArray<288, UInt8>(repeating: 0)

  init(_ descriptor: Int32, _ name: Span<UInt8>) {
    guard descriptor >= 0, name.count <= 256 else { return }
    var count = 0
    let prefix: StaticString = "/proc/self/fd/"
    while count < prefix.utf8CodeUnitCount {
      // Within the constant's length.
      bytes[count] = unsafe prefix.utf8Start[count]
      count += 1
    }
    var digits = InlineArray<10, UInt8>(repeating: 0)
    var length = 0
    var value = UInt32(descriptor)
    repeat {
      digits[length] = UInt8(ascii: "0") + UInt8(value % 10)
      value /= 10
      length += 1
    } while value > 0
    for index in stride(from: length - 1, through: 0, by: -1) {
      bytes[count] = digits[index]
      count += 1
    }
    guard name.count > 1 else { return }
    bytes[count] = UInt8(ascii: "/")
    count += 1
    for index in name.indices {
      bytes[count] = name[index]
      count += 1
    }
  }

  func withPath<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    let span = bytes.span
    return unsafe span.withUnsafeBytes { unsafe body($0.assumingMemoryBound(to: CChar.self).baseAddress!) }
  }
}
