import Images
import Packs
import Registry

/// What registries say, and files about them: references, challenges, TOML, and descriptions by way of what `docker save` writes,
/// which no digest vouches for.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let input = unsafe [UInt8](UnsafeBufferPointer(start: data, count: size))
  guard let first = input.first else { return 0 }
  let bytes = Array(input.dropFirst())
  let text = String(decoding: bytes, as: UTF8.self)
  switch first % 4 {
  case 0:
    guard let reference = ImageReference(text) else { return 0 }
    precondition(ImageReference(reference.description) == reference, "a reference is another one in full")
    precondition(ImageReference(reference.familiar) == reference, "a reference is another one in short")
  case 1:
    for challenge in AuthenticationChallenge.all(in: text) {
      precondition(challenge.parameters.count <= 16 && !challenge.scheme.isEmpty)
    }
  case 2:
    guard let toml = TOML(bytes) else { return 0 }
    var configuration = RegistriesConfiguration()
    configuration.add(toml)
    for name in ["debian", "example.org/a/b:1", "a.lan/x@sha256:" + String(repeating: "0", count: 64)] {
      guard let (references, _) = try? configuration.candidates(name, registry: nil) else { continue }
      for reference in references { _ = try? configuration.sources(of: reference) }
    }
  default: _ = try? ImageParts.images(in: FuzzedFiles(bytes))
  }
  return 0
}

/// What stands before the first NUL is the list, and what comes then all else.
private struct FuzzedFiles: ImageFiles {
  let source = "fuzz"
  private let parts: [ArraySlice<UInt8>]

  init(_ bytes: [UInt8]) { parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false) }

  func open(_ path: String) throws(ImageError) -> (any ByteSource)? {
    if path == "manifest.json" { return FuzzedBytes(parts[0]) }
    return parts.count == 2 ? FuzzedBytes(parts[1]) : nil
  }
}

private final class FuzzedBytes: ByteSource {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws(PackError) -> Int {
    let piece = rest.prefix(buffer.count)
    unsafe buffer.copyBytes(from: piece)
    rest = rest.dropFirst(piece.count)
    return piece.count
  }
}
