import Testing

/// Status 125, nothing on stdout, one line on stderr that holds each of the words.
func expectFailure(
  _ result: NovmProgram.Result, naming words: String..., sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(result.status == 125, sourceLocation: sourceLocation)
  #expect(result.output == "", sourceLocation: sourceLocation)
  let isOneLine = result.errors.hasSuffix("\n") && !result.errors.dropLast().contains("\n")
  #expect(isOneLine && result.errors.hasPrefix("novm: "), "\(result.errors)", sourceLocation: sourceLocation)
  for word in words {
    #expect(result.errors.contains(word), "\(result.errors)", sourceLocation: sourceLocation)
  }
}
