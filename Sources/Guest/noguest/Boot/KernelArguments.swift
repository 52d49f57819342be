/// What the kernel command line says to noguest (docs/architecture.md, "The kernel command line").
struct KernelArguments {
  /// `root=`: a virtio-fs tag or a block device.
  var root: Bytes = []
  /// `rootfstype=`: file systems to try, in this order.
  var types: [Bytes] = ["virtiofs"]
  /// `rootflags=`: options of that file system.
  var options: Bytes = []
  /// `ro` or `rw`, whichever is last.
  var isReadOnly = false
  /// `hostname=`
  var hostName: Bytes = []
  /// `init=`: the program of the tree that becomes PID 1; noguest itself if empty.
  var ownInit: Bytes = []
  /// `novm.nic=`: network cards.
  var cards: [Bytes] = []
  /// `novm.disk=SERIAL=NAME`: disks, and the names of links to them in /dev.
  var disks: [(serial: Bytes, name: Bytes)] = []
  /// `novm.pmem=NUMBER[,ro]`: pieces of persistent memory, in their order.
  var persistentMemory: [(number: Bytes, isReadOnly: Bool)] = []
  /// `novm.keep=`: paths of the tree that no fresh file system may be mounted on or above.
  var kept: [Bytes] = []
  /// `novm.mount=TAG:PATH`, `novm.mount-ro=TAG:PATH`: further virtio-fs devices, and where they go.
  var mounts: [(tag: Bytes, path: Bytes, isReadOnly: Bool)] = []
  /// `novm.tmpfs=PATH[:OPTIONS]`: directories in memory.
  var temporaries: [(path: Bytes, options: Bytes)] = []
  /// `novm.modules=TAG:PATH`: one with the kernel's modules, which a machine can do without.
  var modules: (tag: Bytes, path: Bytes)?
  /// `novm.power-off=PORT:VALUE`: how to switch off a machine whose kernel knows no way.
  var powerOff: (port: UInt16, value: UInt8)?
  /// `novm.wait`: the rest comes by vsock.
  var waits = false
  /// All of it, some of which may be for modules.
  let words: [Bytes]

  init(_ line: Bytes) { self.init(words: Self.words(line)) }

  init(words: [Bytes]) {
    self.words = words
    for word in words {
      if let value = word.after("root=") { root = value }
      if let value = word.after("rootfstype=") { types = value.parts(at: UInt8(ascii: ",")) }
      if let value = word.after("rootflags=") { options = value }
      if let value = word.after("hostname=") { hostName = value }
      if let value = word.after("init=") { ownInit = value }
      if let value = word.after("novm.nic=") { cards.append(value) }
      if let parts = word.after("novm.disk=")?.parts(at: UInt8(ascii: "=")), parts.count == 2 {
        disks.append((parts[0], parts[1]))
      }
      if let parts = word.after("novm.pmem=")?.parts(at: UInt8(ascii: ",")), let number = parts.first {
        persistentMemory.append((number, parts.contains("ro")))
      }
      if let value = word.after("novm.power-off=") {
        let parts = value.parts(at: UInt8(ascii: ":"))
        if parts.count == 2, let port = parts[0].decimal.flatMap(UInt16.init(exactly:)),
          let value = parts[1].decimal.flatMap(UInt8.init(exactly:))
        {
          powerOff = (port, value)
        }
      }
      if let value = word.after("novm.keep=") { kept = value.parts(at: UInt8(ascii: ",")) }
      for (name, isReadOnly) in [("novm.mount=", false), ("novm.mount-ro=", true)] as [(Bytes, Bool)] {
        guard let value = word.after(name), let colon = value.firstIndex(of: UInt8(ascii: ":")) else { continue }
        mounts.append((Bytes(value[..<colon]), Bytes(value[(colon + 1)...]), isReadOnly))
      }
      if let value = word.after("novm.tmpfs=") {
        let colon = value.firstIndex(of: UInt8(ascii: ":")) ?? value.endIndex
        temporaries.append((Bytes(value[..<colon]), Bytes(value[colon...].dropFirst())))
      }
      if let value = word.after("novm.modules="), let colon = value.firstIndex(of: UInt8(ascii: ":")) {
        modules = (Bytes(value[..<colon]), Bytes(value[(colon + 1)...]))
      }
      if word == "novm.wait" { waits = true }
      if word == "ro" { isReadOnly = true }
      if word == "rw" { isReadOnly = false }
    }
  }

  /// Whether the tree's own `path` is to stay as it is, or holds something that is.
  func keeps(_ path: Bytes) -> Bool {
    kept.contains { $0 == path || $0.starts(with: path + "/") }
  }

  /// What `MODULE.NAME=VALUE` on the command line says to a module, as loading it takes it. The kernel heeds such words
  /// only for what is built in; for modules modprobe does (modprobe(8)), and so does this.
  func parameters(ofModule module: Bytes) -> Bytes {
    var parameters: Bytes = []
    for word in words {
      guard let dot = word.firstIndex(of: UInt8(ascii: ".")),
        Self.normalised(word[..<dot]) == Self.normalised(module[...])
      else { continue }
      if !parameters.isEmpty { parameters.append(UInt8(ascii: " ")) }
      parameters += word[(dot + 1)...]
    }
    return parameters
  }

  /// Hyphens and underscores are one in names of modules.
  private static func normalised(_ name: ArraySlice<UInt8>) -> Bytes {
    name.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }
  }

  /// Words between spaces, of which double quotes take away the meaning (Documentation/admin-guide/kernel-parameters.rst).
  private static func words(_ line: Bytes) -> [Bytes] {
    var words: [Bytes] = []
    var word: Bytes = []
    var isQuoted = false
    for byte in line {
      switch byte {
      case UInt8(ascii: "\""): isQuoted.toggle()
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"):
        if isQuoted { fallthrough }
        if !word.isEmpty { words.append(word) }
        word = []
      default: word.append(byte)
      }
    }
    if !word.isEmpty { words.append(word) }
    return words
  }
}
