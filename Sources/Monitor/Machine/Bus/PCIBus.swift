import GuestMemory
import Host
import PCI

/// The bus below the machine's host bridge: its functions, one for each device, and which of them answers where.
///
/// The bus's lock is held only to look something up: an access to a function waits for that function alone.
final class PCIBus {
  private let lock = Lock()
  private var functions: [any PCIFunction] = []
  private var decoder: MemoryDecoder
  private var nextAddress = Platform.busWindow.lowerBound

  /// Memory beyond 4 GiB that the bridge passes on, as large as the region that is there.
  let window: Range<GuestAddress>?

  init(_ window: Range<GuestAddress>?) {
    self.window = window
    decoder = MemoryDecoder(windows: [Platform.busWindow] + (window.map { [$0] } ?? []))
  }

  /// An address for registers, which no other function has from the start.
  ///
  /// - Parameter size: a power of two.
  func allocate(_ size: UInt64) throws(MachineError) -> GuestAddress {
    let address = (nextAddress + size - 1) & ~(size - 1)
    guard address + size <= Platform.busWindow.upperBound else {
      throw .tooManyDevices(most: functions.count, onBus: true)
    }
    nextAddress = address + size
    return address
  }

  /// Puts a function at the next device number.
  func add(_ function: any PCIFunction) throws(MachineError) {
    guard functions.count < ConfigurationAddress.deviceLimit else {
      throw .tooManyDevices(most: functions.count, onBus: true)
    }
    lock.withLock { functions.append(function) }
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
      decoder.find(address, width: width).map {
        (functions[$0.device], $0.region.index, address - $0.address)
      }
    }
  }
}
