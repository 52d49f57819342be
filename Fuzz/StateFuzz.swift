import LittleEndian
import State

private let test = StateTag("test")

/// A state is whatever somebody put there: as it is, with a first byte of 0; otherwise as the payload of a section whose checks
/// hold, since no input gets beyond them by chance. Nothing traps, and whatever is given out lies within bounds.
@c(LLVMFuzzerTestOneInput)
public func fuzzState(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let input = unsafe [UInt8](UnsafeBufferPointer(start: data, count: size))
  guard let first = input.first else { return 0 }
  var bytes = Array(input.dropFirst())
  if first != 0 {
    var writer = StateWriter()
    writer.add(test, payload: bytes)
    bytes = writer.finish()
  }
  do throws(StateError) {
    var reader = try StateReader(bytes)
    if var fields = try reader.take(test) {
      for id in 0..<16 as Range<UInt16> {
        if let value: UInt32 = try? fields.number(id, in: 5...9) { precondition((5...9).contains(value)) }
        if let value = try? fields.bytes(id, limit: 32) { precondition(value.count <= 32) }
        _ = try? fields.flag(id, absent: false)
      }
      try fields.finish()
    }
    try reader.finish()
  } catch {}
  return 0
}
