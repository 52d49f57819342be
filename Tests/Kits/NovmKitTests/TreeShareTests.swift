import FileSystem
import Testing

@testable import NovmKit

struct TreeShareTests {
  private func parse(_ text: String) throws -> TreeShare {
    try TreeShare(parsing: Array(text.utf8), directory: Array("/work".utf8))
  }

  @Test(arguments: [
    ("/src=>.", "/src", "/work/.", false, TreeShare.Caching.auto),
    ("/src=>/a:ro", "/src", "/a", true, .auto),
    ("/src=>/a:ro,cache=none", "/src", "/a", true, .none),
    ("/src=>/a:cache=always,rw", "/src", "/a", false, .always),
    ("/a:rw", "/", "/a", false, .auto),
    // Colons of the path's own.
    ("/src=>/a:b", "/src", "/a:b", false, .auto),
    ("/src=>/a:ro,b", "/src", "/a:ro,b", false, .auto),
    ("/src=>/a:cache=some", "/src", "/a:cache=some", false, .auto),
    ("/src=>/a:ro:rw", "/src", "/a:ro", false, .auto),
    ("/src=>/a:", "/src", "/a:", false, .auto),
  ])
  func parses(_ text: String, guest: String, host: String, isReadOnly: Bool, caching: TreeShare.Caching) throws {
    let share = TreeShare(TreeMap(guest: guest, host: host), isReadOnly: isReadOnly, caching: caching)
    #expect(try parse(text) == share)
    // What novmm is told means the same.
    #expect(try TreeShare(parsing: share.argument, directory: []) == share)
  }

  @Test func takesWhatMayBeRealOnTheHost() throws {
    let share = try parse("/src=>/a:dev,ro,suid")
    #expect(share.isReadOnly && share.map.privileges == .all && share.map.host == Array("/a".utf8))
    #expect(try TreeShare(parsing: share.argument, directory: []) == share)
    for (text, host, privileges) in [
      ("/out=>/a:suid", "/a", .suid), ("/out=>/a:dev,suid", "/a", .all), ("/out=>/a:x", "/a:x", []),
      ("/out=>/a:suid:rw", "/a:suid", []), ("/out=>/a", "/a", []), ("/out=>/a:", "/a:", []),
    ] as [(String, String, Privileges)] {
      let map = try TreeMap(parsingWrite: Array(text.utf8), directory: [])
      #expect(map.host == Array(host.utf8) && map.privileges == privileges, "\(text)")
      #expect(try TreeMap(parsingWrite: map.writeArgument, directory: []) == map, "\(text)")
    }
  }

  @Test func isWatched() throws {
    let share = try parse("/src=>/a:ro,notify")
    #expect(share.isWatched && share.isReadOnly && share.map.host == Array("/a".utf8))
    // novmm does not watch.
    #expect(try !TreeShare(parsing: share.argument, directory: []).isWatched)
    #expect(try TreeShare(parsing: share.settingsArgument, directory: []) == share)
    // Who says that nothing changes is told of no change.
    #expect(try parse("/src=>/a:cache=always,notify").map.host == Array("/a:cache=always,notify".utf8))
  }

  @Test func refusesWhatIsNoMap() {
    #expect(throws: NovmError.treeMap(Array("src=>/a".utf8), .relativeGuestPath)) { try parse("src=>/a:ro") }
    #expect(throws: NovmError.treeMap(Array("/src=>".utf8), .noHostPath)) { try parse("/src=>:ro") }
  }
}

struct VolumeMapTests {
  private func parse(_ text: String) throws -> VolumeMap { try VolumeMap(parsing: Array(text.utf8)) }

  @Test func parses() throws {
    #expect(try parse("home=>/root") == VolumeMap(name: "home", guest: Array("/root".utf8)))
    #expect(try parse("a.b-c_1=>/x//y/") == VolumeMap(name: "a.b-c_1", guest: Array("/x/y".utf8)))
  }

  /// What others' volumes are called is for them; one without a name is the machine's.
  @Test func machinesHaveTheirOwn() throws {
    guard case .volume(let own) = try VolumeMap.argument(parsing: Array("/var//lib/db/".utf8), directory: [0x2f]) else {
      throw NovmError.noUser
    }
    #expect(own.isOwn && own.guest == Array("/var/lib/db".utf8) && own.argument == "/var/lib/db")
    var settings = MachineSettings()
    settings.volume = ["/a", "x=>/b"]
    settings.mount = ["type=volume,target=/c"]
    let request = try MachineRequest(settings, directory: [0x2f])
    #expect(request.volumes.map(\.isOwn) == [true, false, true])
    #expect(try settings.absolute([0x2f]).volume == ["/a", "x=>/b", "/c"])
    try request.validate(host: HostLimits(memory: MemorySize(mebibytes: 1 << 20)))
    #expect(throws: NovmError.self) { try VolumeMap.argument(parsing: Array("/a/../b".utf8), directory: [0x2f]) }
  }

  @Test(arguments: ["", "home", "=>/root", "../x=>/root", ".x=>/", "-x=>/", "a/b=>/", "a b=>/", "home=/root"])
  func refusesNames(_ text: String) {
    #expect(throws: NovmError.volume(Array(text.utf8))) { try parse(text) }
  }

  private func argument(_ text: String) throws -> VolumeMap.Argument {
    try VolumeMap.argument(parsing: Array(text.utf8), directory: Array("/work".utf8))
  }

  @Test(arguments: ["db:/data", "db:/data:rw", "db=>/data", "db=>/data:rw"]) func asDockerHasThem(_ text: String) throws
  {
    guard case .volume(let volume) = try argument(text) else {
      Issue.record("no volume")
      return
    }
    #expect(volume == VolumeMap(name: "db", guest: Array("/data".utf8)) && volume.argument == "db=>/data")
  }

  @Test(arguments: ["db:/data:ro", "db=>/data:ro", "db:/data:rw,z", "db:/data:"])
  func theyAreWrittenTo(_ text: String) throws {
    let option = String(text[text.index(after: try #require(text.lastIndex(of: ":")))...])
    #expect(throws: NovmError.volumeOption(Array(text.utf8), option)) { try argument(text) }
  }

  @Test func aPathMayEndLikeAnOption() throws {
    let map = VolumeMap(name: "db", guest: Array("/data:ro".utf8))
    guard case .volume(map) = try argument(map.argument) else {
      Issue.record("\(map.argument)")
      return
    }
    guard case .share(let share) = try argument("./db:/data:ro") else {
      Issue.record("no share")
      return
    }
    #expect(share.isReadOnly && share.map.guest == Array("/data".utf8))
  }

  @Test(arguments: ["home=>root", "home=>", "home=>/a/../b"]) func refusesPaths(_ text: String) {
    #expect(throws: NovmError.self) { try parse(text) }
  }
}
