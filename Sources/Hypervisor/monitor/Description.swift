import UserRuntime

/// The machine as the program's section says.
@safe struct Description {
  /// Files, in modules.
  private(set) var kernel: UnsafeBufferPointer<UInt8>?
  private(set) var initramfs: UnsafeBufferPointer<UInt8>?
  private(set) var tree: UnsafeBufferPointer<UInt8>?
  private(set) var commandLine: [UInt8] = []
  /// Of the command that the guest is to run; none where its own init is to do what it does.
  private(set) var arguments: [[UInt8]] = []
  /// The first line that is none of the root task's and none of a machine's.
  private(set) var unknown: [UInt8]?

  init(_ section: [Directive]) {
    var index = 0
    for directive in section {
      if directive.isKey("module"), let role = directive.words.first {
        let range = Grants.module(index)
        index += 1
        let bytes = unsafe UnsafeBufferPointer(
          start: UnsafePointer<UInt8>(bitPattern: UInt(range.address)), count: Int(range.size))
        if Directive.equal(role, "kernel") {
          unsafe kernel = bytes
        } else if Directive.equal(role, "initramfs") {
          unsafe initramfs = bytes
        } else if Directive.equal(role, "tree") {
          unsafe tree = bytes
        } else {
          unknown = unknown ?? directive.line
        }
      } else if directive.isKey("command-line") {
        commandLine = directive.value
      } else if directive.isKey("argument") {
        arguments.append(directive.value)
      } else if !directive.isRoots {
        unknown = unknown ?? directive.line
      }
    }
  }
}
