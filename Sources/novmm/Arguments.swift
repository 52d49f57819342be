import FileSystem
import Machine

/// What the command line asks for.
enum Request {
  case run(MachineDescription, isVerbose: Bool)
  case check(MachineDescription.KVMSource)
  case help
  case version
}

/// A word of the command line that makes no sense, in words for whoever typed it.
struct UsageError: Error {
  let message: String
}

/// Reads the command line. Options take their value as the next word or after `=`.
struct Arguments {
  private var words: ArraySlice<String>

  init(_ words: ArraySlice<String>) { self.words = words }

  mutating func parse() throws(UsageError) -> Request {
    var machine = MachineDescription()
    var isVerbose = false
    var isCheck = false
    while let word = words.popFirst() {
      let (name, inline) = split(word)
      switch name {
      case "--help", "-h": return .help
      case "--version": return .version
      case "--check": isCheck = true
      case "--verbose": isVerbose = true
      case "--kernel": machine.kernel = try value(name, inline)
      case "--setup": machine.setup = try value(name, inline)
      case "--initramfs": machine.initramfs = try value(name, inline)
      case "--cmdline": machine.commandLine = try value(name, inline)
      case "--memory": machine.memory = try number(name, inline, 1...(256 << 10)) << 20
      case "--cpus": machine.cpus = Int(try number(name, inline, 1...255))
      case "--read": machine.reads.append(try map(name, inline))
      case "--write": machine.writes.append(try map(name, inline))
      case "--tag": machine.tag = try tag(name, inline)
      case "--vsock": (machine.vsock, machine.guestCID) = try vsock(name, inline, machine.guestCID)
      case "--com1": machine.com1 = try output(name, inline)
      case "--console": machine.console = try output(name, inline)
      case "--lifeline": machine.lifeline = try descriptor(name, try value(name, inline))
      case "--timings": machine.timings = try descriptor(name, try value(name, inline))
      case "--kvm": machine.kvm = try kvm(name, inline)
      default: throw UsageError(message: "unknown option \(word); novmm --help lists them")
      }
    }
    if isCheck { return .check(machine.kvm) }
    guard !machine.kernel.isEmpty else {
      throw UsageError(message: "no kernel: give --kernel FILE, a vmlinux or a bzImage")
    }
    return .run(machine, isVerbose: isVerbose)
  }

  private func split(_ word: String) -> (name: String, value: String?) {
    guard word.hasPrefix("--"), let equals = word.firstIndex(of: "=") else { return (word, nil) }
    return (String(word[..<equals]), String(word[word.index(after: equals)...]))
  }

  private mutating func value(_ name: String, _ inline: String?) throws(UsageError) -> String {
    guard let value = inline ?? words.popFirst() else { throw UsageError(message: "\(name) wants a value") }
    return value
  }

  private mutating func number(
    _ name: String, _ inline: String?, _ range: ClosedRange<UInt64>
  ) throws(UsageError) -> UInt64 {
    let text = try value(name, inline)
    guard let number = UInt64(text), range.contains(number) else {
      throw UsageError(message: "\(name) \(text): give a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// `GUEST=>HOST`, or `HOST` alone, which means the guest's `/`.
  private mutating func map(_ name: String, _ inline: String?) throws(UsageError) -> LayerMap {
    let text = try value(name, inline)
    var guest = "/"
    var host = text
    if let arrow = arrow(in: text) {
      guest = String(decoding: text.utf8[..<arrow], as: UTF8.self)
      host = String(decoding: text.utf8[text.utf8.index(arrow, offsetBy: 2)...], as: UTF8.self)
    }
    guard guest.utf8.first == UInt8(ascii: "/"), !host.isEmpty else {
      throw UsageError(message: "\(name) \(text): give GUEST=>HOST, GUEST an absolute path")
    }
    return LayerMap(guestPath: guest, hostPath: host)
  }

  private func arrow(in text: String) -> String.UTF8View.Index? {
    let bytes = text.utf8
    return bytes.indices.first { bytes[$0...].starts(with: "=>".utf8) }
  }

  private mutating func tag(_ name: String, _ inline: String?) throws(UsageError) -> String {
    let tag = try value(name, inline)
    guard (1...36).contains(tag.utf8.count) else {
      throw UsageError(message: "\(name) \(tag): give 1 to 36 bytes (Virtio 1.2, 5.11.4)")
    }
    return tag
  }

  /// `PATH` or `PATH,cid=N`.
  private mutating func vsock(
    _ name: String, _ inline: String?, _ cid: UInt64
  ) throws(UsageError) -> (String, UInt64) {
    let text = try value(name, inline)
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count > 1, let last = parts.last, last.hasPrefix("cid=") else { return (text, cid) }
    guard let number = UInt32(last.dropFirst(4)), number > 2, number < .max else {
      throw UsageError(message: "\(name) \(text): a guest's cid is from 3 to 4294967294")
    }
    return (parts.dropLast().joined(separator: ","), UInt64(number))
  }

  private mutating func output(_ name: String, _ inline: String?) throws(UsageError) -> MachineDescription.Output {
    let text = try value(name, inline)
    if text == "-" { return .standard }
    return text.hasPrefix("fd:") ? .descriptor(try descriptor(name, text)) : .file(text)
  }

  private mutating func kvm(_ name: String, _ inline: String?) throws(UsageError) -> MachineDescription.KVMSource {
    let text = try value(name, inline)
    return text.hasPrefix("fd:") ? .descriptor(try descriptor(name, text)) : .path(text)
  }

  /// `fd:N`, an inherited descriptor.
  private func descriptor(_ name: String, _ text: String) throws(UsageError) -> Int32 {
    guard text.hasPrefix("fd:"), let number = Int32(text.dropFirst(3)), number >= 0 else {
      throw UsageError(message: "\(name) \(text): give fd:N, N an open descriptor")
    }
    return number
  }
}
