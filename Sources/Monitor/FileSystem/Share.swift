import Host

/// A host directory that is in the guest's tree as it is: nothing merges with it, changes go straight to it, and others may
/// change it meanwhile.
package struct Share: Equatable, Sendable {
  package var map: LayerMap
  package var isReadOnly: Bool
  package var caching: Caching

  package init(map: LayerMap, isReadOnly: Bool = false, caching: Caching = .auto) {
    self.map = map
    self.isReadOnly = isReadOnly
    self.caching = caching
  }
}

/// How long the guest may take for true what it has seen of a file.
package enum Caching: String, Equatable, Sendable {
  /// Not at all: each look at a name, at attributes or at data is a request.
  case none
  /// Names and attributes for a second, data until the file is opened again or seen to have changed.
  case auto
  /// Until the guest itself changes it: nobody else does.
  case always
}
