import Glibc

/// This process's words as it was given them: bytes, where `CommandLine.arguments` replaces what is not UTF-8.
package enum ProcessArguments {
  /// Without the program's name.
  package static var words: [[UInt8]] {
    let vector = unsafe CommandLine.unsafeArgv
    // Each word ends with a NUL and the vector with a null pointer (execve(2)); nobody here writes to either.
    return (0..<Int(CommandLine.argc)).dropFirst().compactMap { index in
      unsafe vector[index].map { word in unsafe UnsafeRawBufferPointer(start: word, count: strlen(word)).map { $0 } }
    }
  }
}
