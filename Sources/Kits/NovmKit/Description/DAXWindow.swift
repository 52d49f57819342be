/// How much of the guest's address space shows files of the host without a copy.
package enum DAXWindow: Equatable, Sendable {
  case off
  /// As large as the guest's memory.
  case auto
  case size(MemorySize)

  /// - Returns: nil for what is none of `off`, `auto` and a size of an even number of MiB, up to 64 GiB.
  package init?(_ text: String) {
    switch text {
    case "off": self = .off
    case "auto": self = .auto
    default:
      guard let size = MemorySize(text), (2...65536).contains(size.mebibytes), size.mebibytes % 2 == 0 else {
        return nil
      }
      self = .size(size)
    }
  }

  /// As novmm's `--dax` takes it.
  package var description: String {
    switch self {
    case .off: "off"
    case .auto: "auto"
    case .size(let size): String(size.mebibytes)
    }
  }
}
