import FoundationEssentials
import Images
import Testing

/// Lines of a Containerfile that change an image.
struct ImageChangeTests {
  @Test(arguments: [
    ("CMD [\"a\", \"b c\"]", ImageChange.command(["a", "b c"])),
    ("cmd echo $A", .command(["/bin/sh", "-c", "echo $A"])),
    ("ENTRYPOINT [ \"/x\" ]", .entrypoint(["/x"])),
    ("ENV A=1 B='2 3' C=\"4 \\\"5\" D=6\\ 7", .environment(["A=1", "B=2 3", "C=4 \"5", "D=6 7"])),
    ("ENV A b  c ", .environment(["A=b  c"])),
    ("LABEL a.b=c", .labels(["a.b=c"])),
    ("EXPOSE 80 53/udp", .expose(["80", "53/udp"])),
    ("VOLUME /a /b", .volumes(["/a", "/b"])),
    ("VOLUME [\"/a b\"]", .volumes(["/a b"])),
    ("STOPSIGNAL SIGQUIT", .stopSignal("SIGQUIT")),
    ("  USER app:staff  ", .user("app:staff")),
    ("WORKDIR /srv", .workingDirectory("/srv")),
    ("ENV A=\\$B C='$D' E=$ F=5$/", .environment(["A=$B", "C=$D", "E=$", "F=5$/"])),
  ])
  func instructions(text: String, change: ImageChange) { #expect(ImageChange(text) == change) }

  @Test(arguments: [
    "", "CMD", "RUN x", "FROM x", "ENV A", "ENV =1", "ENV A=1 B", "ENV A='1", "EXPOSE 0", "EXPOSE 80/tcp/x",
    "EXPOSE 70000",
    "EXPOSE x", "VOLUME a", "VOLUME /", "VOLUME /a/..", "VOLUME [\"/..\"]", "VOLUME []",
    "VOLUME [\"/a'\", \"/b\"]", "USER ''",
    "STOPSIGNAL $S", "ENV A=$1", "ENV A=${B", "ENV A=${B:-c}", "ENV A=${}", "ENV A=$$", "USER a b", "WORKDIR",
    "HEALTHCHECK NONE", "USER a\0b",
  ])
  func others(text: String) { #expect(ImageChange(text) == nil) }

  private func changed(_ json: String, _ lines: String...) throws -> ImageConfiguration.Process? {
    try changed(json, lines)
  }

  private func changed(_ json: String, _ lines: [String]) throws -> ImageConfiguration.Process? {
    var document = try JSONDecoder().decode(JSONValue.self, from: Data(json.utf8))
    try ImageChange.apply(try lines.map { try #require(ImageChange($0)) }, to: &document)
    let bytes = try JSONEncoder().encode(document["config"] ?? [:])
    #expect(document["kept"] == "x")
    return try JSONDecoder().decode(ImageConfiguration.Process.self, from: bytes)
  }

  @Test func whatBecomesOfIt() throws {
    let json = #"{"kept": "x", "config": {"Env": ["PATH=/bin", "A=1"], "Cmd": ["old"], "WorkingDir": "/srv"}}"#
    var process = try #require(try changed(json, "ENV A=2 B=3", "EXPOSE 80", "VOLUME /v", "LABEL k=v=w", "WORKDIR sub"))
    #expect(process.environment == ["PATH=/bin", "A=2", "B=3"] && process.command == ["old"])
    #expect(process.exposedPorts?.keys.sorted() == ["80/tcp"] && process.volumes?.keys.sorted() == ["/v"])
    #expect(process.labels == ["k": "v=w"] && process.workingDirectory == "/srv/sub")
    // A command of before is none of the new entrypoint's.
    process = try #require(try changed(json, "ENTRYPOINT [\"/x\"]"))
    #expect(process.entrypoint == ["/x"] && process.command == nil)
    process = try #require(try changed(json, "CMD [\"y\"]", "ENTRYPOINT [\"/x\"]"))
    #expect(process.entrypoint == ["/x"] && process.command == ["y"])
    // Those of before, and of each line that went before.
    process = try #require(
      try changed(
        json, "ENV PATH=/opt:${PATH} A=2 B=$A", "LABEL a=$A b=$NOSUCH. c='$A' d=\\$A", "EXPOSE 8$A/udp",
        "USER \"u $A\"",
        "WORKDIR $A", "VOLUME /v$A", "VOLUME [\"/$B\"]", "ENV C $A '$A'", "CMD echo $A"))
    #expect(process.environment == ["PATH=/opt:/bin", "A=2", "B=1", "C=2 $A"])
    #expect(process.labels == ["a": "2", "b": ".", "c": "$A", "d": "$A"] && process.user == "u 2")
    #expect(process.exposedPorts?.keys.sorted() == ["82/udp"] && process.workingDirectory == "/srv/2")
    #expect(process.volumes?.keys.sorted() == ["/1", "/v2"] && process.command == ["/bin/sh", "-c", "echo $A"])
    for line in ["EXPOSE $PATH", "VOLUME $A", "VOLUME /$UP", "USER $NOSUCH", "WORKDIR ${NOSUCH}", "ENV $NOSUCH=1"] {
      #expect(throws: ImageError.self, "\(line)") { try changed(json, "ENV UP=..", line) }
    }
    let doublings = Array(repeating: "ENV A=$A$A", count: 64)
    #expect(throws: ImageError.self) { try changed(json, doublings) }
    // Whatever was there in its place.
    process = try #require(try changed(#"{"kept": "x", "config": 1}"#, "USER u", "STOPSIGNAL INT"))
    #expect(process.user == "u" && process.stopSignal == "INT")
    process = try #require(
      try changed(#"{"kept": "x", "config": {"Labels": 7, "Volumes": null}}"#, "LABEL a=b", "VOLUME /a"))
    #expect(process.labels == ["a": "b"] && process.volumes?.count == 1)
  }
}
