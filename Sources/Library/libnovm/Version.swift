// The names are those of C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CNovm
import Glibc

/// For as long as the program runs: whoever asks keeps it.
nonisolated(unsafe) private let version = strdup("0.1.0")

@c @implementation
public func novm_version() -> UnsafePointer<CChar>? { UnsafePointer(version) }

@c @implementation
public func novm_free(_ memory: UnsafeMutableRawPointer?) { free(memory) }
