/// What is wrong with the description of a network card.
package enum NetworkCardFault: Error, Equatable, Sendable, CustomStringConvertible {
  case noLink
  case noValue(String)
  case twice(String)
  case unknownKey(String)
  case streamWithTap
  case bridgeOfDescriptor
  case descriptor(String)
  case descriptorOfNovm
  case interface(String)
  case address(String)
  case burstWithoutRate
  /// What `loopback=` has, which is neither `on` nor `off`.
  case loopback(String)
  case loopbackWithoutStream
  case size(String, ClosedRange<Int>)
  case number(String, ClosedRange<Int>)
  case prefix(String)
  case ipAddress(String, String)
  case gatewayWithDHCP
  case filter(String)
  case filterWithoutAddress

  package var description: String {
    switch self {
    case .noLink: "no link; give tap=NAME, bridge=NAME or both"
    case .noValue(let word): "'\(word)' is not KEY=VALUE"
    case .twice(let key): "\(key)= is there twice"
    case .unknownKey(let key): "no such key as \(key)="
    case .streamWithTap: "stream= goes with neither tap=, bridge= nor queues="
    case .bridgeOfDescriptor:
      "bridge= goes with a tap's name, not with descriptors; whoever opened them sees to the bridge"
    case .descriptor(let text): "'\(text)' is no fd:N, N an open descriptor"
    case .descriptorOfNovm: "descriptors are for novmm; give novm a tap's name"
    case .interface(let name): "'\(name)' is no name of an interface: 1 to 15 letters and digits, such as tap0"
    case .address(let text): "'\(text)' is no card's address, such as 02:00:00:00:00:01 (the first byte even)"
    case .burstWithoutRate: "burst= goes with rate="
    case .loopback(let text): "loopback=\(text): it is on or off"
    case .loopbackWithoutStream: "loopback= goes with stream="
    case .size(let key, let range):
      "\(key)= wants bytes, perhaps with K, M or G, from \(range.lowerBound) to \(range.upperBound)"
    case .prefix(let text):
      "ip=\(text) is neither ADDRESS/LENGTH, such as 10.0.0.2/24 or fd00::2/64, nor dhcp, nor none"
    case .ipAddress(let key, let text): "\(key)=\(text) is no address, such as 10.0.0.1 or fd00::1"
    case .gatewayWithDHCP: "gateway= goes with ip=ADDRESS/LENGTH; by DHCP the network says it"
    case .filter(let text): "filter=\(text) is neither on nor off"
    case .filterWithoutAddress: "filter=on goes with ip=ADDRESS/LENGTH; of others nobody here knows the address"
    case .number(let key, let range): "\(key)= wants a number from \(range.lowerBound) to \(range.upperBound)"
    }
  }
}
