import CHostTesting
import Foundation

/// Another writer of a directory, who has two names change places all the time.
package final class Swapper: @unchecked Sendable {
  private let stop = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
  private let ended = DispatchSemaphore(value: 0)

  package init(_ one: String, _ other: String) {
    stop.initialize(to: 0)
    let thread = Foundation.Thread { [self] in
      host_testing_exchange(one, other, stop)
      ended.signal()
    }
    thread.start()
  }

  /// Waits until it has stopped; to be called.
  package func end() {
    host_testing_stop(stop)
    ended.wait()
  }

  deinit { stop.deallocate() }
}

/// Whoever opens a file for its data is noticed; to look at it (O_PATH) is not to open it.
package final class OpenWatch {
  private let descriptor: Int32

  package init?(_ path: String) {
    descriptor = host_testing_watch_opens(path)
    if descriptor < 0 { return nil }
  }

  deinit { close(descriptor) }

  package var hasSeenOne: Bool {
    var event = [UInt8](repeating: 0, count: 1024)
    return read(descriptor, &event, event.count) > 0
  }
}

/// A directory in a directory in a directory, which no path reaches.
package enum DeepTree {
  /// - Parameters:
  ///   - path: a directory that is there.
  ///   - name: of each below it.
  ///   - file: made in the lowest, with this in it.
  package static func make(_ path: String, depth: Int, name: String = "d", file: String? = nil, _ text: String = "") {
    var directory = open(path, O_RDONLY | O_DIRECTORY)
    precondition(directory >= 0)
    for _ in 0..<depth {
      precondition(mkdirat(directory, name, 0o755) == 0)
      let next = openat(directory, name, O_RDONLY | O_DIRECTORY)
      close(directory)
      directory = next
    }
    if let file {
      let descriptor = openat(directory, file, O_WRONLY | O_CREAT, 0o644)
      precondition(descriptor >= 0 && write(descriptor, text, text.utf8.count) == text.utf8.count)
      close(descriptor)
    }
    close(directory)
  }

  /// How many descriptors of this process lead below a directory.
  package static func openBelow(_ path: String) -> Int {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return names.count { name in
      ((try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")) ?? "").hasPrefix(path)
    }
  }
}
