import CHypercall

/// What the root task gives a program, and where: both know these.
package enum Grants {
  /// A page that says the rest: words, ranges of modules, and the text of the program's section.
  package static let page: UInt64 = 0xf_0000_0000
  /// Memory: heap, what the program is to give to a guest, and modules at their physical address plus this.
  package static let heap: UInt64 = 0x10_0000_0000
  package static let ram: UInt64 = 0x20_0000_0000
  package static let modules: UInt64 = 0x30_0000_0000
  /// Devices' memory at its physical address plus this.
  package static let physical: UInt64 = 0x40_0000_0000

  /// Portals: output (words: the stream in bits 63:32 and the count of bytes, then these), and the end (a word: the status).
  package static let output: UInt64 = 0x100
  package static let end: UInt64 = 0x101
  /// A portal by which a program that offers a service gives the root task its portals for that: one for each program, in a typed
  /// item.
  package static let ready: UInt64 = 0x102
  /// Portals of the services that a program uses, in the order of its section.
  package static func service(_ index: Int) -> UInt64 { 0x110 + UInt64(index) }
  package static let serviceLimit = 4
  /// There are so many programs.
  package static let programLimit = 8
  /// Portals for exceptions of threads on processor `index` of the program's, for their event base: the root task ends the program
  /// then.
  package static func events(_ index: Int) -> UInt64 { 0x200 + UInt64(index) * 32 }
  /// The most bytes in a message of output.
  package static let outputLimit = 3840

  /// Streams of output.
  package static let console: UInt64 = 0
  package static let standardOutput: UInt64 = 1
  package static let standardError: UInt64 = 2

  /// Statuses from here on say that it was not the program's own command that ended.
  package static let failure: UInt64 = 256

  package enum Word: UInt64 {
    case heapSize, ramSize, textSize, processors, modules
    /// What time it was, in seconds since 1970, when the time-stamp counter was there.
    case seconds, ticks
    /// Where the memory to give away is for a device that the program has read and write it; 0 if it has none.
    case physical
  }

  package static let processorLimit = 8
  package static let moduleLimit = 8
  private static let firstProcessor: UInt64 = 8
  private static let firstModule: UInt64 = 16
  package static let text: UInt64 = 1024
  package static let textLimit: UInt64 = 4096 - text

  /// As the program reads it; the root task writes to where it has the page.
  package static func word(_ word: Word, in page: UInt64 = Grants.page) -> UInt64 { h_load(page + word.rawValue * 8) }
  package static func set(_ word: Word, _ value: UInt64, in page: UInt64) { h_store(page + word.rawValue * 8, value) }

  package static func processor(_ index: Int, in page: UInt64 = Grants.page) -> UInt64 {
    h_load(page + (firstProcessor + UInt64(index)) * 8)
  }
  package static func setProcessor(_ index: Int, _ value: UInt64, in page: UInt64) {
    h_store(page + (firstProcessor + UInt64(index)) * 8, value)
  }

  package static func module(_ index: Int, in page: UInt64 = Grants.page) -> (address: UInt64, size: UInt64) {
    let place = page + (firstModule + UInt64(index) * 2) * 8
    return (h_load(place), h_load(place + 8))
  }
  package static func setModule(_ index: Int, _ address: UInt64, _ size: UInt64, in page: UInt64) {
    let place = page + (firstModule + UInt64(index) * 2) * 8
    h_store(place, address)
    h_store(place + 8, size)
  }

  /// The program's section.
  package static var section: [Directive] {
    Directive.all(in: bytes(at: page + text, min(word(.textSize), textLimit)))
  }

  /// A number that a line of the section gives it; nil where there is none.
  package static func number(_ key: StaticString, _ index: Int = 0) -> UInt64? {
    for directive in section where directive.isKey(key) {
      let words = directive.words
      return index < words.count ? Directive.number(words[index]) : nil
    }
    return nil
  }

  package static func bytes(at address: UInt64, _ count: UInt64) -> [UInt8] {
    // Whoever says where they are has them.
    unsafe [UInt8](UnsafeBufferPointer(start: UnsafePointer(bitPattern: UInt(address)), count: Int(count)))
  }
}
