/// `KEY=VALUE` words, with commas between them.
package struct CardWords {
  package let pairs: [(key: String, value: String)]

  /// - Parameter repeatable: keys that may be there more than once.
  package init(_ text: String, repeatable: [String] = []) throws(NetworkCardFault) {
    var pairs: [(key: String, value: String)] = []
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let equals = word.firstIndex(of: "="), equals != word.startIndex else { throw .noValue(String(word)) }
      let key = String(word[..<equals])
      guard repeatable.contains(key) || !pairs.contains(where: { $0.key == key }) else { throw .twice(key) }
      pairs.append((key, String(word[word.index(after: equals)...])))
    }
    self.pairs = pairs
  }

  package static func size(
    _ text: String, _ key: String, _ range: ClosedRange<Int>
  ) throws(NetworkCardFault) -> Int {
    guard let size = Quantity.parse(text, in: range) else { throw .size(key, range) }
    return size
  }

  package static func number(
    _ text: String, _ key: String, _ range: ClosedRange<Int>
  ) throws(NetworkCardFault) -> Int {
    guard let number = Int(text), range.contains(number) else { throw .number(key, range) }
    return number
  }
}
