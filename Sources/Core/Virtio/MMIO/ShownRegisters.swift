import GuestMemory

/// The registers of a device as a page of memory, which the driver reads without an exit. What it writes still comes to us.
package struct ShownRegisters {
  private let page: GuestSlice

  /// - Parameter page: as long as `MMIOTransport.windowSize`, all zero.
  package init(_ page: GuestSlice) { self.page = page }

  func store(_ value: UInt32, at offset: UInt64) {
    // An offset beyond the page is that of a configuration longer than the window.
    try? page.store(value, at: Int(offset))
  }

  /// Shows what `value` gives, where several threads may change that and show it: whoever stores last has seen the last.
  func store(at offset: UInt64, latest value: () -> UInt32) {
    var shown: UInt32
    repeat {
      shown = value()
      store(shown, at: offset)
      GuestAtomic16.fence()
    } while value() != shown
  }
}
