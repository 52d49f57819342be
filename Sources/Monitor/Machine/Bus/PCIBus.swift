import GuestMemory
import Host
import PCI

/// The bus below the machine's host bridge: its functions, one for each device, and which of them answers where.
///
/// The bus's lock is held only to look something up: an access to a function waits for that function alone.
final class PCIBus {
  private let lock = Lock()
  /// By device number.
  private var functions = [(any PCIFunction)?](repeating: nil, count: ConfigurationAddress.deviceLimit)
  private var decoder: MemoryDecoder

  /// Memory beyond 4 GiB that the bridge passes on, as large as the region that is there.
  let window: Range<GuestAddress>?

  init(_ window: Range<GuestAddress>?) {
    self.window = window
    decoder = MemoryDecoder(windows: [Platform.busWindow] + (window.map { [$0] } ?? []))
  }

  /// Where the registers of a device number are at first.
  ///
  /// - Parameter size: theirs, which is the same for all, and a power of two.
  func address(of device: Int, size: UInt64) throws(MachineError) -> GuestAddress {
    let address = Platform.busWindow.lowerBound + UInt64(device) * size
    guard device < functions.count, address + size <= Platform.busWindow.upperBound else {
      throw .tooManyDevices(most: functions.count, onBus: true)
    }
    return address
  }

  /// Puts a function at a device number that has none.
  func add(_ function: any PCIFunction, at device: Int) {
    lock.withLock { functions[device] = function }
  }

  /// Software has put a function's region at `address`, or nowhere.
  ///
  /// - Returns: where it answers from now on.
  func move(_ region: BaseAddress, of function: any PCIFunction, to address: UInt64?) -> UInt64? {
    lock.withLock {
      guard let device = functions.firstIndex(where: { $0 === function }) else { return nil }
      return decoder.move(region, of: device, to: address)
    }
  }

  /// The function of a device number, which is each device's only one.
  func function(at address: ConfigurationAddress) -> (any PCIFunction)? {
    guard address.function == 0 else { return nil }
    return lock.withLock { functions.indices.contains(address.device) ? functions[address.device] : nil }
  }

  /// The region that answers at an address of the bus's memory.
  func region(at address: GuestAddress, width: Int) -> (function: any PCIFunction, region: Int, offset: UInt64)? {
    lock.withLock {
      guard let found = decoder.find(address, width: width), let function = functions[found.device] else { return nil }
      return (function, found.region.index, address - found.address)
    }
  }
}
