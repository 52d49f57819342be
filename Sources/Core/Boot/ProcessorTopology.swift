/// How a machine's processors lie in cores and sockets, and the APIC ids that say so: a thread's number in its core, that
/// core's in its socket and the socket's in the machine, each in as many bits as its largest takes (Intel's SDM volume 3A,
/// 10.9.3; AMD's APM volume 3, appendix E.4).
package struct ProcessorTopology: Equatable, Sendable {
  package let sockets: Int
  /// Of a socket.
  package let cores: Int
  /// Of a core.
  package let threads: Int

  /// APIC ids that the machine's parts can do with: eight bits, of which 255 stands for all processors.
  package static let mostProcessors = 254

  /// Cores of one socket.
  package init(cores: Int) {
    self.init(sockets: 1, cores: cores, threads: 1)
  }

  private init(sockets: Int, cores: Int, threads: Int) {
    self.sockets = sockets
    self.cores = cores
    self.threads = threads
  }

  /// Parses `COUNT[,sockets=N][,cores=N][,threads=N]`. What is not said is one, but for the cores of a socket: they make up
  /// the count.
  ///
  /// - Returns: nil for anything else, for a count that is not the product of the others, and for more processors than
  ///   there are ids.
  package init?(_ text: [UInt8]) {
    let parts = text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard let first = parts.first, let count = Self.number(first) else { return nil }
    var sockets: Int?
    var cores: Int?
    var threads: Int?
    for part in parts.dropFirst() {
      guard let equals = part.firstIndex(of: UInt8(ascii: "=")), let value = Self.number(part[(equals + 1)...]) else {
        return nil
      }
      let key = part[..<equals]
      if key.elementsEqual("sockets".utf8), sockets == nil {
        sockets = value
      } else if key.elementsEqual("cores".utf8), cores == nil {
        cores = value
      } else if key.elementsEqual("threads".utf8), threads == nil {
        threads = value
      } else {
        return nil
      }
    }
    // Each at most 254, so that no product overflows.
    let perCore = threads ?? 1
    let perSocket = cores ?? max(1, count / (perCore * (sockets ?? 1)))
    self.init(sockets: sockets ?? max(1, count / (perCore * perSocket)), cores: perSocket, threads: perCore)
    guard self.count == count, apicID(of: count - 1) < UInt32(Self.mostProcessors) else { return nil }
  }

  private static func number(_ text: ArraySlice<UInt8>) -> Int? {
    guard text.count <= 3, let value = NUMALayout.number(text) else { return nil }
    return (1...mostProcessors).contains(value) ? value : nil
  }

  /// Processors in all.
  package var count: Int { sockets * cores * threads }
  /// Processors of one socket.
  package var perSocket: Int { cores * threads }

  /// Bits of an APIC id that number the threads of a core.
  package var threadBits: UInt32 { Self.bits(threads) }
  /// Bits of an APIC id that number the processors of a socket.
  package var socketBits: UInt32 { threadBits + Self.bits(cores) }

  /// The APIC id of a processor, which is numbered from 0 on: the threads of a core follow each other, and so do the cores of a
  /// socket.
  package func apicID(of index: Int) -> UInt32 {
    let thread = index % threads
    let core = index / threads % cores
    let socket = index / perSocket
    return UInt32(socket) << socketBits | UInt32(core) << threadBits | UInt32(thread)
  }

  /// Of all processors, in order.
  package var apicIDs: [UInt32] { (0..<count).map(apicID(of:)) }

  /// As it is parsed.
  package var description: String {
    sockets == 1 && threads == 1 ? "\(count)" : "\(count),sockets=\(sockets),cores=\(cores),threads=\(threads)"
  }

  private static func bits(_ count: Int) -> UInt32 {
    count <= 1 ? 0 : UInt32(Int.bitWidth - (count - 1).leadingZeroBitCount)
  }
}
