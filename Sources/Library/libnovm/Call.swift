import CNovm
import Glibc
import Novm
import NovmKit

/// Does what a function of C's asks for, and tells how it went.
func call(_ error: UnsafeMutablePointer<novm_error>?, _ body: () throws(Failure) -> Void) -> novm_status {
  do throws(Failure) {
    try body()
    return NOVM_OK
  } catch let failure {
    error?.pointee = novm_error(failure)
    return novm_status(UInt32(failure.code.rawValue))
  }
}

/// Whether the one flag that a function has was given.
func isSet(_ flags: UInt32) throws(Failure) -> Bool {
  guard flags & ~1 == 0 else { throw Failure(.argument, "flags: there are none but 1", about: "flags") }
  return flags == 1
}

extension novm_error {
  init(_ failure: Failure) {
    self.init()
    status = failure.code.rawValue
    number = failure.number
    line = Int32(clamping: failure.line)
    exit_status = failure.exitStatus
    withUnsafeMutableBytes(of: &subject) { copy(failure.subject, to: $0) }
    withUnsafeMutableBytes(of: &message) { copy(failure.message, to: $0) }
  }
}

/// A text for people, with its NUL; one that is too long ends with a whole character.
func copy(_ text: String, to field: UnsafeMutableRawBufferPointer) {
  var bytes = Array(ByteString.printable(text).utf8.prefix(field.count - 1))
  while !bytes.isEmpty, String(validating: bytes, as: UTF8.self) == nil { bytes.removeLast() }
  field.copyBytes(from: bytes + [0])
}

// MARK: What callers give

func required<Pointee>(
  _ pointer: UnsafeMutablePointer<Pointee>?, _ name: String
) throws(Failure) -> UnsafeMutablePointer<Pointee> {
  guard let pointer else { throw Failure(.argument, "\(name) is NULL", about: name) }
  return pointer
}

func bytes(_ pointer: UnsafePointer<CChar>?, _ name: String) throws(Failure) -> [UInt8] {
  guard let pointer else { throw Failure(.argument, "\(name) is NULL", about: name) }
  return UnsafeRawBufferPointer(start: pointer, count: strlen(pointer)).map { $0 }
}

/// One that has to be text.
func text(_ pointer: UnsafePointer<CChar>?, _ name: String) throws(Failure) -> String {
  guard let text = String(validating: try bytes(pointer, name), as: UTF8.self) else {
    throw Failure(.argument, "\(name) is no text (UTF-8)", about: name)
  }
  return text
}

/// Texts up to a NULL.
func words(_ pointer: UnsafePointer<UnsafePointer<CChar>?>?, _ name: String) throws(Failure) -> [[UInt8]] {
  guard var next = pointer else { return [] }
  var words: [[UInt8]] = []
  while let word = next.pointee {
    words.append(try bytes(word, name))
    next += 1
  }
  return words
}

/// Milliseconds; a negative number is no limit.
func patience(_ milliseconds: Int64) -> Duration {
  milliseconds < 0 ? .forever : .milliseconds(min(milliseconds, Int64(Int32.max)))
}
