import Firmware

/// The kernel's options.
enum CommandLine {
  /// Those that wait for what is not there yet.
  private static let later: Options = [.keyb, .spinner, .vtlb, .iommuIntel, .iommuAMD]

  static func options(_ boot: BootInformation) -> Options {
    var options: Options = []
    boot.commandLine?.forEachWord(LowMemory()) { word in
      if let option = Options(word, LowMemory()) { options.formUnion(option) }
    }
    return options
  }

  /// A line for each word that has no effect. The first word is the kernel's own name, where a loader gives it.
  static func report(_ boot: BootInformation) {
    var first = true
    boot.commandLine?.forEachWord(LowMemory()) { word in
      if let option = Options(word, LowMemory()) {
        if later.contains(option) { Console.line("nohv: option \(word): not yet, and without effect") }
      } else if !first || !isPath(word) {
        Console.line("nohv: option \(word): there is none of this name")
      }
      first = false
    }
  }

  private static func isPath(_ word: Text) -> Bool {
    for index in 0..<word.count where LowMemory().byte(at: word.address &+ UInt64(index)) == 0x2f { return true }
    return false
  }
}
