import Glibc
import Host
import Packs

/// The first byte picks the reader, the rest is its file: a manifest, or a tar archive. Any bytes are a tree that reads the
/// same when it is written, or an error.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let input = unsafe [UInt8](UnsafeBufferPointer(start: data, count: size))
  guard let first = input.first else { return 0 }
  let bytes = Array(input.dropFirst())
  if first & 1 == 0 {
    if let manifest = Manifest(decoding: bytes) { precondition(manifest.encoded == bytes) }
    return 0
  }
  // Without these nothing would be tried.
  let file = try! FileDescriptor.open("/dev/shm", OpenFlags.temporary, mode: 0o600)
  try! file.writeAll(bytes)
  lseek(file.raw, 0, SEEK_SET)
  let patterns = try! PathPatterns(exclude: first & 2 == 0 ? [] : [Array("*a*".utf8)])
  let source = ArchiveSource(Array("fuzz".utf8), patterns: patterns)
  let limits = PackLimits(entries: 1000, bytes: 1 << 22)
  let entries = try? source.entries(file.raw, limits: limits) { (_, read) throws(PackError) in
    var hash = SHA256()
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    var size: UInt64 = 0
    while true {
      let count = try read(&buffer)
      if count == 0 { return PackBuilder.Content(size: size, digest: hash.digest()) }
      hash.update(buffer, count: count)
      size += UInt64(count)
      if size > limits.bytes { throw PackError.limit(source: [], path: [], .bytes(limits.bytes)) }
    }
  }
  _ = file.raw
  guard let entries else { return 0 }
  let manifest = Manifest(sorting: entries)
  precondition(Manifest(decoding: manifest.encoded) == manifest, "a tree changed on its way through its manifest")
  return 0
}
