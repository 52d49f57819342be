import Devices
import GuestMemory
import Host

/// Random bytes from the host's kernel.
final class HostEntropy: EntropySource {
  func fill(_ slice: GuestSlice) -> Int { slice.copy(from: RandomBytes.make(slice.count)) }
}
