import AgentProtocol
import CGuest

/// A pseudo-terminal (pty(7)).
enum Terminal {
  /// A new terminal's master side, and its slave side for the command.
  ///
  /// The slave is opened through the master, so nothing depends on where, or whether, devpts is mounted.
  static func open(_ window: WindowSize) throws(SystemError) -> Pair {
    let master = try Descriptor.open("/dev/ptmx", O_RDWR | O_NOCTTY)
    var locked: Int32 = 0
    try check(unsafe cguest_ioctl(master.number, cguest_TIOCSPTLCK, &locked))
    let flags = Int(O_RDWR | O_NOCTTY | O_CLOEXEC)
    let slave = Descriptor(owning: try check(cguest_ioctl_number(master.number, cguest_TIOCGPTPEER, flags)))
    master.resize(window)
    return Pair(master: master, slave: slave)
  }

  struct Pair: ~Copyable {
    let master: Descriptor
    let slave: Descriptor
  }
}

extension Descriptor {
  /// ioctl_tty(2), `TIOCSWINSZ`: the foreground process group learns of it by SIGWINCH.
  func resize(_ window: WindowSize) {
    var size = winsize(ws_row: window.rows, ws_col: window.columns, ws_xpixel: 0, ws_ypixel: 0)
    _ = unsafe cguest_ioctl(number, UInt(TIOCSWINSZ), &size)
  }

  /// The character that means end of file on this terminal; nil where it reads raw bytes or has disabled that character.
  var endOfFileCharacter: UInt8? {
    var settings = termios()
    guard unsafe tcgetattr(number, &settings) == 0, settings.c_lflag & tcflag_t(ICANON) != 0 else { return nil }
    let character = settings.c_cc.4  // VEOF
    return character == 0 ? nil : character
  }
}
