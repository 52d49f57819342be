extension KeyedDecodingContainer {
  /// Reads a key into a variable, which keeps its default where there is no such key: files of an older novm lack what was
  /// added since.
  func read<Value: Decodable>(_ key: Key, into value: inout Value) throws {
    if let present = try decodeIfPresent(Value.self, forKey: key) { value = present }
  }
}
