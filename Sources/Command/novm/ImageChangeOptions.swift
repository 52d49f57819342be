import ArgumentParser
import Images
import NovmKit

/// What an image that is made is to say of its command; the same for every command that makes one.
struct ImageChangeOptions: ParsableArguments {
  @Option(
    name: [.short, .long], parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "For an image: what it is to say of its command, as a line of a Containerfile does. Repeatable.",
      discussion: "CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME or WORKDIR.", valueName: "line"))
  var change: [String] = []

  func validate() throws { _ = try changes }

  var changes: [ImageChange] {
    get throws {
      try change.map { text in
        guard let change = ImageChange(text) else {
          throw ValidationError(
            "--change: '\(ByteString.printable(text))' is no such line; they begin with \(ImageChange.names.joined(separator: ", "))"
              + ", such as 'ENV A=1' or 'CMD [\"/bin/sh\"]'"
              + (text.contains("$") ? "; variables in them are $NAME and ${NAME}" : ""))
        }
        if case .stopSignal(let signal) = change, SignalName.number(signal) == nil {
          throw ValidationError("--change: '\(ByteString.printable(signal))' \(SignalName.advice)")
        }
        return change
      }
    }
  }
}
