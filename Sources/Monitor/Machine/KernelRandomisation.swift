import Boot

/// Whether the guest's kernel lies where nobody can know (KASLR), and if not, why.
package enum KernelRandomisation {
  /// It was placed at random, and its own addresses were changed to that.
  case placed(KernelPlacement)
  /// A bzImage unpacks itself, and places itself as it does so.
  case byItself
  /// It was asked not to be.
  case off
  /// Its image has no relocations, or is entered in a mode in which it cannot be moved.
  case impossible

  package var placement: KernelPlacement {
    if case .placed(let placement) = self { return placement }
    return .linked
  }

  var isPlaced: Bool {
    if case .placed = self { return true }
    return false
  }
}
