import KVM
import LittleEndian
import State

/// A vCPU's section of a state, and that of the chips, of which all checks hold and whose payload is anything. What is taken reads
/// the same once it is written.
@c(LLVMFuzzerTestOneInput)
public func fuzzVCPUState(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let input = unsafe [UInt8](UnsafeBufferPointer(start: data, count: size))
  guard let first = input.first else { return 0 }
  var payload: [UInt8] = []
  if first & 1 == 0 {
    payload = Array(input.dropFirst())
  } else {
    // Fields of the lengths that there are, filled from the input: none comes by chance. The third byte leaves one out.
    let lengths = first & 2 == 0 ? [28, 4, 8, 1, 144, 256, 32, 56, 32, 4096, 8, 48, 12, 1024, 160] : [216, 32, 8]
    var rest = input.dropFirst(3)
    for (index, length) in lengths.enumerated() where index != Int(input.count > 2 ? input[2] : 255) {
      payload.append(field: UInt16(index + 1))
      payload.append(field: UInt16(0))
      payload.append(field: UInt32(length))
      let value = rest.prefix(length)
      payload += value
      payload += [UInt8](repeating: 0, count: length - value.count)
      rest = rest.dropFirst(length)
    }
  }
  for tag in [VCPUState.tag, ChipState.tag] {
    var writer = StateWriter()
    writer.add(tag, payload: payload)
    guard let once = again(writer.finish(), tag) else { continue }
    guard let twice = again(once, tag), once == twice else { fatalError("what is written is read as something else") }
  }
  return 0
}

private func again(_ bytes: [UInt8], _ tag: StateTag) -> [UInt8]? {
  do throws(StateError) {
    var reader = try StateReader(bytes)
    var fields = try reader.require(tag)
    var writer = StateWriter()
    let written = tag == VCPUState.tag ? try VCPUState(from: &fields).save() : try ChipState(from: &fields).save()
    try fields.finish()
    writer.add(tag, written)
    return writer.finish()
  } catch {
    return nil
  }
}
