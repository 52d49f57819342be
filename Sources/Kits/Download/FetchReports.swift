import Host

/// The reports that come through a pipe, until its end or the first line that is none.
package struct FetchReports: ~Copyable {
  private let pipe: FileDescriptor
  private var bytes: [UInt8] = []
  private var isAtEnd = false

  package init(_ pipe: consuming FileDescriptor) { self.pipe = pipe }

  package var descriptor: Int32 { pipe.raw }

  package mutating func next() -> FetchReport? {
    while !isAtEnd {
      if let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
        let report = FetchReport(line: bytes[..<end])
        bytes.removeSubrange(...end)
        if report == nil { isAtEnd = true }
        return report
      }
      if bytes.count > FetchReport.limit { break }
      var buffer = [UInt8](repeating: 0, count: FetchReport.limit)
      do throws(Errno) {
        let count = try pipe.read(into: &buffer)
        if count == 0 { break }
        bytes += buffer[..<count]
      } catch {
        if error != .interrupted { break }
      }
    }
    isAtEnd = true
    return nil
  }
}
