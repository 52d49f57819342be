import ArgumentParser
import NovmKit
import Store

/// The process in the background that makes a template: started by the first machine that misses it.
struct MakeTemplateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: Templates.makeCommand, abstract: "Make a template (for novm's own use).", shouldDisplay: false)

  @Argument var key: String
  /// Tags, with commas between them.
  @Argument var shares: String
  /// Of novmm.
  @Argument(parsing: .captureForPassthrough) var words: [String] = []

  func run() throws {
    let maker = TemplateMaker(
      store: Machines.templateStore, runtime: Surroundings.paths.runtime, novmm: Surroundings.programs.novmm)
    let words = words.first == "--" ? Array(words.dropFirst()) : words
    try maker.make(
      key, shares: shares.split(separator: ",").map(String.init), arguments: words.map(ByteString.bytes))
  }
}
