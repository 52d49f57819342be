import Download
import Glibc
import Images
import Packs

/// Brings one blob into a repository: not at all where it is there, by a mount from another repository, or in pieces (OCI
/// distribution specification 1.1, "Pushing a blob in chunks").
struct BlobUpload {
  private let client: RegistryClient
  private let descriptor: ImageDescriptor
  /// For people.
  private let name: String

  /// Of a piece, unless the registry wants larger ones.
  private static let pieceSize: UInt64 = 16 << 20
  private static let largestPiece: UInt64 = 1 << 30
  /// Without a piece's worth of progress, before it is given up.
  private static let attempts = 4
  /// As many times a registry may take less than was sent, and go on.
  private static let mostShort = 64

  init(_ descriptor: ImageDescriptor, to client: RegistryClient, name: String) {
    self.client = client
    self.descriptor = descriptor
    self.name = name
  }

  /// Whether the repository has it.
  func isThere() throws(RegistryError) -> Bool {
    let answer = try client.send(.head, "blobs/\(descriptor.digest)", limit: 1 << 16)
    if answer.isSuccess { return true }
    if answer.status == 404 { return false }
    throw client.refusal(answer, bringing: name)
  }

  /// Takes it over from another repository of the registry.
  ///
  /// - Returns: whether that was done.
  func mount(from repository: String) throws(RegistryError) -> Bool {
    let query = RegistryClient.encoded([("mount", descriptor.digest.description), ("from", repository)])
    let answer = try client.send(.post, "blobs/uploads/?\(query)", limit: 1 << 16)
    if answer.status == 201 { return true }
    // An upload was begun instead, which nobody goes on with; or the other one is not for this user.
    if answer.isSuccess || [401, 403, 404, 405].contains(answer.status) { return false }
    throw client.refusal(answer, bringing: name)
  }

  /// Sends all of it.
  ///
  /// - Parameters:
  ///   - file: has it from its start.
  ///   - progress: called with the bytes so far.
  func send(_ file: Int32, progress: (UInt64) -> Void) throws(RegistryError) {
    let begun = try client.send(.post, "blobs/uploads/", limit: 1 << 16)
    guard begun.status == 202 else { throw client.refusal(begun, bringing: name) }
    var place = try location(begun)
    let least = begun.field("oci-chunk-min-length").flatMap { UInt64($0) } ?? 0
    let size = min(max(least, Self.pieceSize), Self.largestPiece)
    var offset: UInt64 = 0
    // Where counting began: a registry that takes things back, or a few bytes at a time, does not go on for ever.
    var farthest: UInt64 = 0
    var failures = 0
    var shorts = 0
    while offset < descriptor.size {
      let piece = offset..<min(offset + size, descriptor.size)
      do throws(RegistryError) {
        let answer = try patch(file, piece, at: place)
        place = try location(answer)
        let end = Self.end(answer) ?? piece.upperBound
        guard piece.contains(end) && end > offset || end == piece.upperBound else {
          throw .answer(registry: client.source.host, "it says that it has another part than was sent")
        }
        offset = end
        if end < piece.upperBound { shorts += 1 }
        guard shorts < Self.mostShort else {
          throw .answer(registry: client.source.host, "it takes little of what is sent, again and again")
        }
      } catch {
        failures += 1
        guard failures < Self.attempts, Self.mayPass(error) else { throw error }
        sleep(1 << UInt32(failures - 1))
        // Of an upload that is gone by then, why tells more.
        do { (place, offset) = try state(at: place, below: piece.upperBound) } catch _ { throw error }
      }
      if offset >= farthest + min(size, descriptor.size - farthest) { (farthest, failures, shorts) = (offset, 0, 0) }
      progress(offset)
    }
    try close(place)
  }

  /// Has the registry take what it was sent for the blob, which in a store far behind it may take minutes.
  private func close(_ place: String) throws(RegistryError) {
    let whole =
      place + (place.contains("?") ? "&" : "?") + RegistryClient.encoded([("digest", descriptor.digest.description)])
    var attempt = 1
    while true {
      do throws(RegistryError) {
        let answer = try client.send(.put, whole, fields: [Self.bytes], limit: 1 << 16) {
          ($0.attempts, $0.silence, $0.time) = (1, 600, 600)
        }
        if answer.isSuccess { return }
        // An earlier one has ended the upload.
        if answer.status == 404, attempt > 1, try isThere() { return }
        throw setback(answer)
      } catch {
        guard Self.mayPass(error) else { throw error }
        // It may have heard all, and the answer be lost.
        if case .download(.cut) = error, try isThere() { return }
        guard attempt < Self.attempts else { throw error }
      }
      sleep(1 << UInt32(attempt - 1))
      attempt += 1
    }
  }

  private static let bytes = Exchange.Field("Content-Type", "application/octet-stream")

  private func patch(_ file: Int32, _ piece: Range<UInt64>, at place: String) throws(RegistryError) -> Exchange.Answer {
    let range = Exchange.Field("Content-Range", "\(piece.lowerBound)-\(piece.upperBound - 1)")
    let answer = try client.send(.patch, place, fields: [Self.bytes, range], limit: 1 << 16) {
      $0.content = .file(file, piece)
      // What came of it decides how it goes on, and a slow line takes its time.
      ($0.attempts, $0.time) = (1, 0)
    }
    guard answer.status == 202 else { throw setback(answer) }
    return answer
  }

  private func setback(_ answer: Exchange.Answer) -> RegistryError {
    if answer.status >= 500 || [408, 416, 429].contains(answer.status) {
      return .download(.status(answer.status, address: client.source.host))
    }
    return client.refusal(answer, bringing: name)
  }

  /// Whether the same may succeed later.
  private static func mayPass(_ error: RegistryError) -> Bool {
    switch error {
    case .download(.cut), .download(.status), .download(.connection): true
    default: false
    }
  }

  /// What the registry has of it, after something went wrong.
  private func state(at place: String, below end: UInt64) throws(RegistryError) -> (String, UInt64) {
    let answer = try client.send(.get, place, limit: 1 << 16)
    guard answer.status == 204 else { throw client.refusal(answer, bringing: name) }
    return (try answer.field("location") == nil ? place : location(answer), min(Self.end(answer) ?? 0, end))
  }

  private func location(_ answer: Exchange.Answer) throws(RegistryError) -> String {
    guard let location = answer.field("location") else {
      throw .answer(registry: client.source.host, "it does not say where to send something to")
    }
    return try client.place(location)
  }

  /// How many bytes a registry has, by its `Range: 0-LAST`; nil where that says nothing.
  private static func end(_ answer: Exchange.Answer) -> UInt64? {
    guard let range = answer.field("range"), let dash = range.lastIndex(of: "-"),
      let last = UInt64(range[range.index(after: dash)...])
    else { return nil }
    // Nothing at all looks like the first byte.
    return last == 0 ? 0 : last.addingReportingOverflow(1).partialValue
  }
}
