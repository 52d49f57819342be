import Foundation
import Testing

@testable import Host

struct FileCallsTests {
  private let path = NSTemporaryDirectory() + "novm-calls-\(UUID().uuidString)"
  private let directory: SharedDirectory

  /// Removed when the test is over.
  private final class SharedDirectory {
    let descriptor: FileDescriptor
    let path: String

    init(_ path: String) throws {
      self.path = path
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      descriptor = try FileDescriptor.open(path, OpenFlags.directory)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  init() throws { directory = try SharedDirectory(path) }

  private var raw: Int32 { directory.descriptor.raw }

  private func name(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }

  @Test func nothingOpensOutsideTheDirectory() throws {
    try FileManager.default.createSymbolicLink(atPath: path + "/up", withDestinationPath: "..")
    for (text, error) in [
      ("..", Errno.crossDevice), ("../x", .crossDevice), ("/etc", .crossDevice), ("up", .tooManySymlinks),
      ("up/x", .tooManySymlinks),
    ] {
      let name = name(text)
      #expect(throws: error) { _ = try FileCalls.openBeneath(raw, name.span, OpenFlags.read).raw }
    }
  }

  @Test func attributesByNameAndByDescriptor() throws {
    let (file, attribute) = (name("f"), name("user.a"))
    let opened = try FileCalls.openBeneath(raw, file.span, OpenFlags.createExclusively, mode: 0o600)
    #expect(try FileCalls.attribute(raw, file.span, attribute) == nil)
    let long = [UInt8](repeating: 7, count: 1000)
    try FileCalls.setAttribute(raw, file.span, attribute, long)
    #expect(try FileCalls.attribute(raw, file.span, attribute) == long)
    let itself = FileCalls.itself
    #expect(try FileCalls.attribute(opened.raw, itself.span, attribute) == long)
    #expect(try FileCalls.attributeNames(opened.raw) == attribute)
    var buffer = InlineArray<128, UInt8>(repeating: 0)
    #expect(FileCalls.shortAttribute(raw, file.span, attribute, into: &buffer) == nil)
    try FileCalls.removeAttribute(raw, file.span, attribute)
    #expect(throws: Errno.noData) { try FileCalls.removeAttribute(raw, file.span, attribute) }
  }

  @Test func statusAndChanges() throws {
    let file = name("f")
    let opened = try FileCalls.openBeneath(raw, file.span, OpenFlags.createExclusively, mode: 0o600)
    try FileCalls.changeMode(raw, file.span, 0o640)
    let time = FileTime(seconds: 5, nanoseconds: 7)
    try FileCalls.changeTimes(raw, file.span, accessed: .keep, modified: .set(time))
    try FileCalls.truncate(opened.raw, to: 100)
    try FileCalls.changeTimes(opened.raw, accessed: .set(time), modified: .keep)
    let status = try FileCalls.status(raw, file.span)
    #expect(status.mode == FileType.regular | 0o640)
    #expect(status.length == 100)
    #expect(status.accessed == time)
    #expect(status.isRegular && !status.isDirectory && !status.isWhiteout)
    #expect(throws: Errno.fileTooLarge) { try FileCalls.truncate(opened.raw, to: .max) }
  }

  @Test func whiteoutsAreMadeAndKnown() throws {
    let whiteout = name("w")
    try FileCalls.makeWhiteout(raw, whiteout.span)
    #expect(try FileCalls.status(raw, whiteout.span).isWhiteout)
  }

  @Test func dataInPieces() throws {
    let file = name("f")
    let opened = try FileCalls.openBeneath(raw, file.span, OpenFlags.createExclusively, mode: 0o600)
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 8)
    defer { bytes.deallocate() }
    for index in 0..<64 { bytes[index] = UInt8(index) }
    var pieces = IOVectors()
    pieces.append(UnsafeMutableRawBufferPointer(rebasing: bytes[0..<10]))
    pieces.append(UnsafeMutableRawBufferPointer(rebasing: bytes[20..<20]))
    pieces.append(UnsafeMutableRawBufferPointer(rebasing: bytes[40..<64]))
    #expect(pieces.byteCount == 34)
    #expect(try pieces.write(to: opened.raw, at: 3) == 34)
    var back = IOVectors()
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    back.append(bytes)
    #expect(try back.read(from: opened.raw, at: 0) == 37)
    #expect(Array(bytes[0..<4]) == [0, 0, 0, 0] && bytes[4] == 1 && bytes[13] == 40)
    var many = IOVectors()
    for _ in 0..<300 { many.append(UnsafeMutableRawBufferPointer(rebasing: bytes[0..<1])) }
    #expect(many.isFull && many.byteCount == IOVectors.capacity)
  }
}
