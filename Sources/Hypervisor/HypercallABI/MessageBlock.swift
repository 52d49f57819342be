/// A UTCB: the page of a thread by which it gives and takes messages. Its kernel and its owner both know it as this.
///
/// Safe, as whoever makes one says where the page is, and every access stays within it.
@safe package struct MessageBlock {
  package let words: UnsafeMutablePointer<UInt64>
  package static let size: UInt64 = 4096
  /// The most words that a message has.
  package static let wordLimit: UInt64 = 508

  @inline(__always) package init(_ words: UnsafeMutablePointer<UInt64>) { unsafe self.words = unsafe words }

  @inline(__always) package init?(address: UInt64) {
    guard let words = unsafe UnsafeMutablePointer<UInt64>(bitPattern: UInt(address)) else { return nil }
    unsafe self.init(words)
  }

  /// The word at a byte offset below 4096.
  @inline(__always) package subscript(_ offset: Int) -> UInt64 {
    get { unsafe words[(offset & 0xfff) &>> 3] }
    nonmutating set { unsafe words[(offset & 0xfff) &>> 3] = newValue }
  }

  /// Half a word.
  @inline(__always) package subscript(half offset: Int) -> UInt32 {
    get { UInt32(truncatingIfNeeded: self[offset] &>> UInt64((offset & 4) &* 8)) }
    nonmutating set {
      let shift = UInt64((offset & 4) &* 8)
      self[offset] = self[offset] & ~(0xffff_ffff &<< shift) | UInt64(newValue) &<< shift
    }
  }

  @inline(__always) package var counts: UInt64 {
    get { self[0] }
    nonmutating set { self[0] = newValue }
  }
  package var untyped: UInt64 { min(counts & 0xffff, MessageBlock.wordLimit) }
  package var typed: UInt64 { min(counts >> 16 & 0xffff, MessageBlock.wordLimit / 2) }
  package func setCounts(untyped: UInt64, typed: UInt64 = 0) { counts = untyped | typed << 16 }

  package var translateWindow: CapabilityRange {
    get { CapabilityRange(rawValue: self[8]) }
    nonmutating set { self[8] = newValue.rawValue }
  }
  package var delegateWindow: CapabilityRange {
    get { CapabilityRange(rawValue: self[16]) }
    nonmutating set { self[16] = newValue.rawValue }
  }
  package var threadLocal: UInt64 {
    get { self[24] }
    nonmutating set { self[24] = newValue }
  }

  /// Word `index` of the message.
  @inline(__always) package func word(_ index: Int) -> UInt64 { self[32 &+ index &* 8] }
  @inline(__always) package func setWord(_ index: Int, _ value: UInt64) { self[32 &+ index &* 8] = value }

  /// Typed item `index`, which lie from the page's end downwards.
  package func item(_ index: Int) -> TypedItem {
    let place = 4096 &- 16 &* (index &+ 1)
    return TypedItem(CapabilityRange(rawValue: self[place]), word: self[place &+ 8])
  }
  package func setItem(_ index: Int, _ item: TypedItem) {
    let place = 4096 &- 16 &* (index &+ 1)
    self[place] = item.range.rawValue
    self[place &+ 8] = item.word
  }

  /// Byte offsets of state, where a message carries a context's.
  package enum State {
    package static let descriptor = 32
    package static let instructionLength = 40
    package static let rip = 48
    package static let rflags = 56
    package static let interruptibility = 64
    package static let activity = 68
    package static let injection = 72
    package static let injectionError = 76
    package static let rax = 80
    package static let rcx = 88
    package static let rdx = 96
    package static let rbx = 104
    package static let rsp = 112
    package static let rbp = 120
    package static let rsi = 128
    package static let rdi = 136
    /// R8 to R15.
    package static let r8 = 144
    package static let qualification = 208
    package static let qualification2 = 216
    package static let control = 224
    package static let control2 = 228
    package static let cr0 = 232
    package static let cr2 = 240
    package static let cr3 = 248
    package static let cr4 = 256
    package static let xcr0 = 264
    package static let xss = 272
    package static let pageDirectories = 280
    package static let cr8 = 312
    package static let efer = 320
    package static let star = 328
    package static let lstar = 336
    package static let cstar = 344
    package static let sfmask = 352
    package static let kernelGSBase = 360
    package static let taskPriority = 368
    package static let taskPriorityThreshold = 372
    package static let dr7 = 376
    package static let sysenterCS = 384
    package static let sysenterSP = 392
    package static let sysenterIP = 400
    /// ES CS SS DS FS GS LDTR TR GDTR IDTR, 16 bytes each.
    package static let segments = 408
    package static let timeStamp = 568
    package static let timeStampOffset = 576
    package static let timeStampAux = 584
    package static let exit = 592
    package static let floatingPoint = 600
  }
}
