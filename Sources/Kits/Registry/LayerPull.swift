import Download
import Glibc
import Host
import Images
import Packs

/// Fetches the layers of an image that the store has not, several at once, each by a process that speaks to the registry, and one
/// that unpacks what that one hears. What is here is neither: it starts them, listens, and believes what is in the store.
package final class LayerPull {
  package enum Event: Equatable, Sendable {
    /// It was there.
    case known
    /// Another command has it in work.
    case waiting
    /// Bytes of the layer that were read, compressed.
    case read(UInt64)
    case done
  }

  /// The command that unpacks (``LayerDecoder``).
  package struct Decoder: Sendable {
    package var program: String
    package var words: [String]

    package init(program: String, words: [String]) {
      self.program = program
      self.words = words
    }
  }

  private final class Job {
    let place: Int
    let exchange: RunningExchange
    let decoder: LayerDecoder
    /// Nobody else fetches the layer.
    let lock: SharedFile
    var isFetched = false
    var isUnpacked = false

    init(_ place: Int, _ exchange: RunningExchange, _ decoder: LayerDecoder, _ lock: SharedFile) {
      self.place = place
      self.exchange = exchange
      self.decoder = decoder
      self.lock = lock
    }
  }

  private let image: RemoteImage
  private let diffs: [Digest]
  private let store: ImageStore
  private let access: RegistryAccess
  private let decoder: Decoder
  private let tell: (Int, Event) -> Void
  private var jobs: [Job] = []
  private var tries: [Int: Int] = [:]

  /// As many as Docker's.
  private static let mostAtOnce = 3
  private static let mostTries = 3

  /// - Parameters:
  ///   - diffs: of each layer of the manifest, uncompressed.
  ///   - tell: called with the layer's place from 0.
  package init(
    _ image: RemoteImage, diffs: [Digest], store: ImageStore, access: RegistryAccess, decoder: Decoder,
    tell: @escaping (Int, Event) -> Void
  ) {
    self.image = image
    self.diffs = diffs
    self.store = store
    self.access = access
    self.decoder = decoder
    self.tell = tell
  }

  package func run() throws(RegistryError) {
    defer {
      // After a failure: without more to read, decoders remove what they have begun.
      for job in jobs { job.exchange.end() }
      for job in jobs { _ = job.decoder.finish() }
    }
    var waiting: [Int] = []
    var seen: Set<Digest> = []
    for (place, diff) in diffs.enumerated() {
      if store.layer(diff) != nil {
        tell(place, .known)
      } else if seen.insert(diff).inserted {
        waiting.append(place)
      } else {
        // The same layer twice, such as an empty one.
        tell(place, .known)
      }
    }
    while !waiting.isEmpty || !jobs.isEmpty {
      var locked: [Int] = []
      while jobs.count < Self.mostAtOnce, !waiting.isEmpty {
        let place = waiting.removeFirst()
        if try !begin(place, waits: false) {
          locked.append(place)
          tell(place, .waiting)
        }
      }
      waiting += locked
      if jobs.isEmpty, let place = waiting.first {
        // Nothing of ours keeps another from going on.
        waiting.removeFirst()
        _ = try begin(place, waits: true)
        continue
      }
      // None, where what was waited for has come meanwhile.
      if !jobs.isEmpty { try listen(for: locked.isEmpty ? -1 : 500, &waiting) }
    }
  }

  /// Starts the two processes for a layer, unless it has come meanwhile.
  ///
  /// - Returns: false if somebody else is at it.
  private func begin(_ place: Int, waits: Bool) throws(RegistryError) -> Bool {
    let diff = diffs[place]
    let lock: SharedFile
    do throws(ImageError) {
      guard let taken = try store.lockLayer(diff, waits: waits) else { return false }
      lock = SharedFile(taken)
    } catch {
      throw .image(error)
    }
    if store.layer(diff) != nil {
      tell(place, .known)
      return true
    }
    let layer = image.manifest.layers[place]
    guard layer.size <= store.packs.room else {
      throw .layer("\(layer.digest)", "has \(layer.size) bytes, and there is not so much room")
    }
    var exchange = try image.client.exchange(.get, "blobs/\(layer.digest)", limit: layer.size)
    exchange.resumes = true
    // The decoder would take them for the layer.
    exchange.wantsWords = false
    do throws(Errno) {
      let pipe = try Pipe()
      let decoder = try LayerDecoder(
        self.decoder.program, self.decoder.words, diff: diff, digest: layer.digest, origin: image.reference.familiar,
        input: pipe.reader.raw)
      let running = try RunningExchange(exchange, by: access.nofetch, body: pipe.writer.raw)
      jobs.append(Job(place, running, decoder, lock))
      return true
    } catch {
      throw .layer("\(layer.digest)", error.description)
    }
  }

  /// Waits until a process has something to say, and takes it.
  private func listen(for milliseconds: Int32, _ waiting: inout [Int]) throws(RegistryError) {
    var list: [pollfd] = []
    for job in jobs {
      list.append(pollfd(fd: job.isFetched ? -1 : job.exchange.descriptor, events: Int16(POLLIN), revents: 0))
      list.append(pollfd(fd: job.isUnpacked ? -1 : job.decoder.descriptor, events: Int16(POLLIN), revents: 0))
    }
    guard unsafe poll(&list, UInt(list.count), milliseconds) > 0 else { return }
    for (index, job) in jobs.enumerated() {
      if list[2 * index].revents != 0, !job.exchange.step() { job.isFetched = true }
      if list[2 * index + 1].revents != 0 {
        switch job.decoder.step() {
        case .read(let count): tell(job.place, .read(count))
        case .ended: job.isUnpacked = true
        case nil: break
        }
      }
    }
    for job in jobs where job.isUnpacked {
      jobs.removeAll { $0 === job }
      if try finish(job) { tell(job.place, .done) } else { waiting.append(job.place) }
    }
  }

  /// What became of a layer whose decoder has ended.
  ///
  /// - Returns: false if it is to be tried again, as somebody else.
  private func finish(_ job: Job) throws(RegistryError) -> Bool {
    let layer = image.manifest.layers[job.place]
    let words = job.decoder.finish()
    var refused: Exchange.Answer?
    // What kept the bytes from coming was said before there were no more of them; else it is the decoder that wants none.
    if words != nil, !job.isFetched, !job.exchange.hasNews { job.exchange.end() }
    let status: Int
    do throws(DownloadError) {
      let answer = try job.exchange.finish()
      if answer.status == 401, tries[job.place, default: 0] < Self.mostTries { refused = answer }
      status = answer.status
    } catch {
      switch error {
      // The decoder knows more.
      case .write, .ended: status = 0
      case .tooLarge: throw .layer("\(layer.digest)", "has more than the \(layer.size) bytes that its manifest says")
      default: throw image.client.failure(error)
      }
    }
    if let refused {
      // Tokens end.
      tries[job.place, default: 0] += 1
      try image.client.authorize(refused)
      return false
    }
    if status == 404 {
      throw .answer(registry: image.client.source.host, "it has no layer \(layer.digest), which the image names")
    }
    if status >= 300 { throw image.client.refusal(Exchange.Answer(status: status), of: image.reference.familiar) }
    if let words { throw .layer("\(layer.digest)", words) }
    guard store.layer(diffs[job.place]) != nil else { throw .layer("\(layer.digest)", "its decoder left nothing") }
    return true
  }
}
