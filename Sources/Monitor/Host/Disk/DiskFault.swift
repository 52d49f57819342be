/// What is wrong with the description of a disk.
package enum DiskFault: Error, Equatable, Sendable, CustomStringConvertible {
  case noFile
  case descriptor(String)
  case descriptorOfNovm
  case twice(String)
  case unknownKey(String)
  /// Of memory.
  case onlyReadOnly(String)
  case value(String)
  case noValue(String)
  case serial(String)
  case name(String)
  /// A name that the guest's kernel gives.
  case nameOfGuest(String)
  case cache(String)
  case number(String, ClosedRange<Int>)

  package var description: String {
    switch self {
    case .noFile: "no file; give FILE[,ro][,KEY=VALUE]..."
    case .descriptor(let text): "'\(text)' is no fd:N, N an open descriptor"
    case .descriptorOfNovm: "descriptors are for novmm; give novm a file"
    case .twice(let key): "\(key) is there twice"
    case .unknownKey(let key):
      "no such option as \(key); there are ro, serial=, dev=, rate=, iops= and cache=, and ,, is a comma of FILE's own"
    case .onlyReadOnly(let key): "no such option as \(key); there is ro, and ,, is a comma of FILE's own"
    case .value(let key): "\(key) takes no value"
    case .noValue(let key): "\(key)= wants a value"
    case .serial(let text):
      "serial=\(text) is no serial number: 1 to \(Disk.serialLimit) letters, digits and any of -_.:+"
    case .name(let text): "dev=\(text) is no name for /dev: 1 to \(Disk.serialLimit) letters, digits and any of -_.+"
    case .nameOfGuest(let text):
      "dev=\(text): Linux gives this name itself in the guest's /dev; give another, such as data"
    case .cache(let text): "cache=\(text) is none of writeback, none and unsafe"
    case .number(let key, let range):
      "\(key)= wants a number, perhaps with K, M or G, from \(range.lowerBound) to \(range.upperBound)"
    }
  }
}
