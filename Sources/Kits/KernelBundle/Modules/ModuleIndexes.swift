import Dispatch
import Glibc
import Host
import Synchronization

/// The files that `modprobe` reads beside the modules themselves, which packages leave to `depmod` on the machine where
/// they are installed. Written here, so that a bundle does not depend on the host's kmod.
struct ModuleIndexes {
  private struct Facts {
    var module: ModuleTree.Module
    var info: ModuleInfo
    var symbols: [String]
  }

  private let tree: ModuleTree
  /// In the order of `modules.order`, by which one of several modules with the same alias is preferred.
  private let facts: [Facts]

  /// The file that only a finished tree has.
  static func isIndexed(_ root: String) -> Bool { Files.exists("\(root)/modules.dep.bin") }

  /// Reads every module of the tree.
  ///
  /// - Parameter progress: called with how many are done, on any thread, one call at a time.
  init(_ tree: ModuleTree, progress: @escaping (Int) -> Void) throws(KernelBundleError) {
    self.tree = tree
    let modules = Self.ordered(tree)
    let state = Mutex((facts: [Facts?](repeating: nil, count: modules.count), done: 0, error: KernelBundleError?.none))
    // The closure is only called under the lock.
    nonisolated(unsafe) let progress = progress
    let batch = 16
    DispatchQueue.concurrentPerform(iterations: (modules.count + batch - 1) / batch) { number in
      for index in (number * batch)..<min((number + 1) * batch, modules.count) {
        let result = Result { () throws(KernelBundleError) in try Self.facts(modules[index], tree) }
        state.withLock { state in
          switch result {
          case .success(let facts): state.facts[index] = facts
          case .failure(let error): state.error = state.error ?? error
          }
          state.done += 1
          if state.done % 64 == 0 { unsafe progress(state.done) }
        }
      }
    }
    let (facts, error) = state.withLock { ($0.facts, $0.error) }
    if let error { throw error }
    self.facts = facts.compactMap { $0 }
  }

  private static func facts(_ module: ModuleTree.Module, _ tree: ModuleTree) throws(KernelBundleError) -> Facts {
    let image = try tree.image(of: module)
    return Facts(
      module: module, info: try tree.info(of: module, image: image), symbols: ModuleInfo.exportedSymbols(image))
  }

  private static func ordered(_ tree: ModuleTree) -> [ModuleTree.Module] {
    let lines = Files.readText("\(tree.root)/modules.order")?.split(separator: "\n") ?? []
    var places: [String: Int] = [:]
    for (place, line) in lines.enumerated() { places[ModuleTree.moduleName(ofFile: String(line)) ?? ""] = place }
    return tree.modules.values.sorted {
      let (one, other) = (places[$0.name] ?? .max, places[$1.name] ?? .max)
      return one == other ? $0.path < $1.path : one < other
    }
  }

  /// Writes all index files into `directory`.
  func write(to directory: String) throws(KernelBundleError) {
    try writeDependencies(to: directory)
    try writeAliases(to: directory)
    try writeBuiltIns(to: directory)
  }

  private func write(_ index: ModuleIndex, _ name: String, in directory: String) throws(KernelBundleError) {
    guard let bytes = index.encoded() else {
      throw .system(operation: .write, path: "\(directory)/\(name)", Errno(EFBIG))
    }
    try Files.write(bytes, to: "\(directory)/\(name)")
  }

  /// `modules.dep`: each module's file, and those of all that it needs; loaded from the last to the first.
  private func writeDependencies(to directory: String) throws(KernelBundleError) {
    let byName = Dictionary(facts.map { ($0.module.name, $0) }) { first, _ in first }
    var index = ModuleIndex()
    var text = ""
    for (place, fact) in facts.enumerated() {
      var order: [String] = []
      var visited: Set<String> = [fact.module.name]
      func visit(_ fact: Facts) {
        for name in fact.info.dependencies {
          guard let other = byName[name], visited.insert(name).inserted else { continue }
          visit(other)
          order.append(other.module.path)
        }
      }
      visit(fact)
      let line = "\(fact.module.path):" + order.reversed().map { " \($0)" }.joined()
      text += line + "\n"
      index.add(fact.module.name, line, priority: place)
    }
    try Files.write(Array(text.utf8), to: "\(directory)/modules.dep")
    try write(index, "modules.dep.bin", in: directory)
  }

  private func writeAliases(to directory: String) throws(KernelBundleError) {
    var aliases = ModuleIndex()
    var aliasText = "# Aliases extracted from modules themselves.\n"
    var symbols = ModuleIndex()
    var symbolText = "# Aliases for symbols, used by symbol_request().\n"
    var softText = "# Soft dependencies extracted from modules themselves.\n"
    var deviceText = "# Device nodes to trigger on-demand module loading.\n"
    for (place, fact) in facts.enumerated() {
      let name = fact.module.name
      for alias in fact.info.aliases {
        aliases.add(ModuleInfo.normalisedAlias(alias), name, priority: place)
        aliasText += "alias \(alias) \(name)\n"
      }
      for symbol in fact.symbols {
        symbols.add("symbol:\(symbol)", name, priority: place)
        symbolText += "alias symbol:\(symbol) \(name)\n"
      }
      for dependencies in fact.info.softDependencies { softText += "softdep \(name) \(dependencies)\n" }
      if let node = fact.info.deviceNode { deviceText += "\(name) \(node)\n" }
    }
    for (name, text) in [
      ("alias", aliasText), ("symbols", symbolText), ("softdep", softText), ("devname", deviceText),
    ] {
      try Files.write(Array(text.utf8), to: "\(directory)/modules.\(name)")
    }
    try write(aliases, "modules.alias.bin", in: directory)
    try write(symbols, "modules.symbols.bin", in: directory)
  }

  /// Names and aliases of what is part of the kernel, for which `modprobe` then has nothing to do.
  private func writeBuiltIns(to directory: String) throws(KernelBundleError) {
    var names = ModuleIndex()
    for name in tree.builtIn ?? [] { names.add(name, "", priority: 0) }
    try write(names, "modules.builtin.bin", in: directory)

    var aliases = ModuleIndex()
    for string in ((try? Files.read("\(tree.root)/modules.builtin.modinfo")) ?? []).split(separator: 0) {
      // module.key=value
      let text = String(decoding: string, as: UTF8.self)
      guard let dot = text.firstIndex(of: "."), text[dot...].hasPrefix(".alias=") else { continue }
      aliases.add(
        ModuleInfo.normalisedAlias(String(text[dot...].dropFirst(7))), ModuleInfo.normalised(String(text[..<dot])),
        priority: 0)
    }
    try write(aliases, "modules.builtin.alias.bin", in: directory)
  }
}
