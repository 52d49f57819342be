import CLinux
import Glibc

/// Tells what changes in directories, by name: inotify(7), non-blocking.
package final class DirectoryWatch {
  package struct Changes: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    private init(_ bits: Int32) { rawValue = UInt32(bitPattern: bits) }

    package static let modified = Changes(IN_MODIFY)
    package static let attributes = Changes(IN_ATTRIB)
    /// A name came, or went.
    package static let came = Changes(IN_CREATE | IN_MOVED_TO)
    package static let went = Changes(IN_DELETE | IN_MOVED_FROM)
    /// Of those that went, one that is elsewhere now, where a directory stays watched.
    package static let moved = Changes(IN_MOVED_FROM)
    /// What it is about is a directory.
    package static let isDirectory = Changes(IN_ISDIR)
    /// The directory is watched no more.
    package static let ended = Changes(IN_IGNORED)
    /// There was more than the kernel keeps; it is lost. Of no directory.
    package static let lost = Changes(IN_Q_OVERFLOW)
  }

  package struct Event {
    /// As `add` answered; -1 for none.
    package let directory: Int32
    package let changes: Changes
    /// Empty for the directory itself.
    package let name: [UInt8]
  }

  private let descriptor: FileDescriptor
  private var buffer = [UInt8](repeating: 0, count: 4096)

  package init() throws(Errno) { descriptor = FileDescriptor(owning: try checked(clinux_inotify_init())) }

  /// Readable when there is something to tell.
  package var raw: Int32 { descriptor.raw }

  /// Watches an open directory; the same number for the same one each time.
  package func add(_ directory: Int32) throws(Errno) -> Int32 {
    try checked(clinux_inotify_add_entries(descriptor.raw, directory))
  }

  package func remove(_ number: Int32) { clinux_inotify_remove(descriptor.raw, number) }

  /// Some of what there is to tell, at most a hundred or so.
  package func events() -> [Event] {
    let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(descriptor.raw, $0.baseAddress, $0.count) }
    var events: [Event] = []
    var offset = 0
    // The kernel gives whole ones: number, changes, cookie, length of the name with the NULs behind it.
    while offset + Self.headerSize <= count {
      let fields = unsafe buffer.withUnsafeBytes { bytes in
        unsafe (
          bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self),
          bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self),
          bytes.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self)
        )
      }
      let end = min(count, offset + Self.headerSize + Int(fields.2))
      let name = buffer[(offset + Self.headerSize)..<end].prefix { $0 != 0 }
      events.append(Event(directory: fields.0, changes: Changes(rawValue: fields.1), name: Array(name)))
      offset = end
    }
    return events
  }

  private static let headerSize = 16

  /// How many directories and files a user may watch; nil if the kernel does not say.
  package static var mostOfUser: Int? {
    guard let file = try? FileDescriptor.open(Path("/proc/sys/fs/inotify/max_user_watches"), OpenFlags.read) else {
      return nil
    }
    var text = [UInt8](repeating: 0, count: 32)
    guard let count = try? file.read(into: &text) else { return nil }
    return Int(String(decoding: text[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
  }
}
