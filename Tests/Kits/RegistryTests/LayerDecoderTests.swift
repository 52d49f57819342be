import FoundationEssentials
import Host
import HostTesting
import Packs
import Testing

@testable import Registry

/// A program in the place of the decoder, as one that a layer has taken over.
@Suite(.timeLimit(.minutes(5)))
struct LayerDecoderTests {
  /// - Parameter script: a shell's, where `$4` is the descriptor of the report.
  private func finish(_ script: String, steps: Int = 0) throws -> String? {
    let program = FileManager.default.temporaryDirectory.appendingPathComponent("novm-decoder-\(UUID())").path
    defer { try? FileManager.default.removeItem(atPath: program) }
    try MadeProgram.write(program, "#!/bin/bash\n\(script)\n")
    let pipe = try Pipe()
    let digest = Digest.of([])
    let decoder = try LayerDecoder(program, [], diff: digest, digest: digest, origin: "x", input: pipe.reader.raw)
    for _ in 0..<steps { _ = decoder.step() }
    return decoder.finish()
  }

  @Test func lastWords() throws {
    #expect(try finish("echo progress 5 >&$4; echo done >&$4") == nil)
    #expect(try finish("echo failed other words >&$4; exit 1") == "words")
    #expect(try finish("exit 7") == "its decoder ended by status 7")
  }

  /// Those would never end.
  @Test func whoStays() throws {
    for steps in 0...1 {
      #expect(try finish("echo done >&$4; exec sleep 600", steps: steps) == nil)
      #expect(try finish("echo failed other words >&$4; exec sleep 600", steps: steps) == "words")
    }
    #expect(try finish("echo hello >&$4; exec sleep 600") == "its decoder ended by signal 9")
  }
}
