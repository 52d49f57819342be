/// Finds which modules must be loaded for some others, and in what order, from the modules themselves.
package struct ModuleResolver {
  package struct Resolved {
    package var module: ModuleTree.Module
    package var image: [UInt8]
    package var info: ModuleInfo
  }

  private let tree: ModuleTree
  private let release: String
  private var visited: Set<String> = []
  /// In loading order.
  package private(set) var resolved: [Resolved] = []

  package init(_ tree: ModuleTree, release: String) {
    self.tree = tree
    self.release = release
  }

  /// Adds a module after all that it depends on; a built-in one, or one added before, adds nothing.
  package mutating func add(_ name: String, neededBy: String) throws(KernelBundleError) {
    // A loop of dependencies, which no kernel has, ends here.
    guard visited.insert(name).inserted else { return }
    guard let module = tree.modules[name] else {
      if tree.isBuiltIn(name) { return }
      throw .missingModule(release: release, name: name, neededBy: neededBy)
    }
    let image = try tree.image(of: module)
    let info = try tree.info(of: module, image: image)
    for name in info.softPre where tree.modules[name] != nil { try add(name, neededBy: module.name) }
    for name in info.dependencies { try add(name, neededBy: module.name) }
    resolved.append(Resolved(module: module, image: image, info: info))
    for name in info.softPost where tree.modules[name] != nil { try add(name, neededBy: module.name) }
  }
}
