import ArgumentParser
import Download
import Glibc
import Host
import Images
import NovmKit
import Packs
import Registry

/// The process that makes a pack of a layer.
struct UnpackLayerCommand: ParsableCommand {
  static let name = "unpack-layer"
  static let configuration = CommandConfiguration(
    commandName: name, abstract: "Make a pack of a layer (for novm's own use).", shouldDisplay: false)

  static let decoder = LayerPull.Decoder(program: "/proc/self/exe", words: [name])

  @Argument var words: [String]

  func run() throws {
    guard let order = LayerDecoder.Order(words) else { throw ValidationError("for novm's own use") }
    signal(SIGPIPE, SIG_IGN)
    let reports = ReportWriter(order.report)
    let name = String(order.origin)
    var store = ImageCommand.store
    let directory = store.packs.directory
    let places: ConfinedPlaces
    do {
      try Names.makeDirectories(directory)
      places = try DecoderConfinement.apply(writing: [directory])
      store = ImageStore(directory: store.directory, packs: PackStore(directory: places[directory]))
    } catch {
      reports.send(
        .failed(.other("the layer's decoder cannot be confined: \((error as? Errno)?.description ?? "\(error)")")))
      throw ExitCode(1)
    }
    do throws(ImageError) {
      try store.unpack(
        FileBytes(order.input, path: Array(name.utf8)), order.diff, order.digest, origin: name
      ) { reports.progress($0, of: nil) }
    } catch {
      // As people know it.
      reports.send(.failed(.other(places.told(error.message))))
      throw ExitCode(1)
    }
    reports.send(.done)
  }
}
