/// A terminal's size in characters; zero where it is not known (ioctl_tty(2), TIOCSWINSZ).
///
///     u16 rows, u16 columns
package struct WindowSize: Equatable, Sendable {
  package var rows: UInt16
  package var columns: UInt16

  package init(rows: UInt16, columns: UInt16) {
    self.rows = rows
    self.columns = columns
  }
}
