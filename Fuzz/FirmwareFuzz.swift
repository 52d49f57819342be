import Firmware

/// The input is what lies from 1 MiB on, and what firmware searches for a root pointer in.
private struct FuzzedMemory: PhysicalMemory {
  static let start: UInt64 = 1 << 20
  let bytes: [UInt8]

  func byte(at address: UInt64) -> UInt8? {
    if address >= 0xe0000, address < FuzzedMemory.start, address - 0xe0000 < UInt64(bytes.count) {
      return bytes[Int(address - 0xe0000)]
    }
    guard address >= FuzzedMemory.start, address - FuzzedMemory.start < UInt64(bytes.count) else { return nil }
    return bytes[Int(address - FuzzedMemory.start)]
  }
}

/// Loaders and firmware say anything: each walk ends, within its bounds.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let memory = unsafe FuzzedMemory(bytes: Array(UnsafeBufferPointer(start: data, count: size)))
  for magic in [0x2bad_b002, 0x36d7_6289] as [UInt32] {
    guard let boot = BootInformation(magic: magic, at: FuzzedMemory.start, memory) else { continue }
    var regions = 0
    boot.forEachRegion(memory) { region in
      precondition(region.end >= region.address)
      regions += 1
    }
    precondition(regions <= BootInformation.regionLimit)
    var modules = 0
    boot.forEachModule(memory) { module in
      precondition(module.start < module.end)
      modules += 1
    }
    precondition(modules <= BootInformation.moduleLimit)
    boot.commandLine?.forEachWord(memory) { word in
      precondition(word.count > 0)
      _ = Options(word, memory)
    }
    _ = boot.rootPointer(memory)
  }
  if let root = RootPointer.search(memory) {
    for signature in ["APIC", "FACP", "HPET", "MCFG"] as [StaticString] {
      guard let table = root.find(signature, memory) else { continue }
      check(table, memory)
    }
  }
  // A table need not be found to be tried, nor to sum up.
  if let table = Table(memory, at: FuzzedMemory.start) { check(table, memory) }
  return 0
}

private func check(_ table: Table, _ memory: FuzzedMemory) {
  InterruptControllers.forEach(table, memory) { _ in }
  _ = FixedDescription(table, memory)
  _ = EventTimer.address(table, memory)
  ConfigurationSpace.forEach(table, memory) { space in
    _ = space.requester(of: space.address &+ 0x1000)
  }
}
