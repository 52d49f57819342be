import Host

extension Disk {
  /// As ``init(_:)``, for a machine that another process may start, long after.
  ///
  /// - Parameters:
  ///   - option: the one that it is given to.
  ///   - isMapped: as of ``init(_:isMapped:)``.
  ///   - directory: what a relative path is relative to.
  package init(_ text: [UInt8], option: String = "--disk", isMapped: Bool = false, directory: [UInt8]) throws(NovmError)
  {
    do throws(DiskFault) {
      try self.init(text, isMapped: isMapped)
      guard case .file(let path) = source else { throw DiskFault.descriptorOfNovm }
      source = .file(path.absolute(in: directory))
    } catch {
      throw .disk(option: option, text, error)
    }
  }
}
