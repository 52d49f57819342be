import KernelBundle

extension ImportProgress {
  /// A line for a person.
  package var text: String {
    switch self {
    case .waitingForLock: "waiting for another import…"
    case .downloading(let package): "downloading \(package)…"
    case .unpacking(let package, let files): "unpacking \(package): \(files) files"
    case .reading(let bytes): "reading: \(bytes >> 20) MiB"
    case .decompressing(let path): "decompressing \(path)…"
    case .resolvingModules: "resolving modules…"
    case .copyingModules(let files): "copying modules: \(files) files"
    case .indexingModules(let done, let total): "indexing modules: \(done) of \(total)"
    }
  }
}
