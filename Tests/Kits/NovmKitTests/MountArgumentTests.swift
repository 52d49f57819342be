import Testing

@testable import NovmKit

/// `--mount`, `--tmpfs` and `--shm-size`.
struct MountArgumentTests {
  private func request(_ change: (inout MachineSettings) -> Void) throws -> MachineRequest {
    var settings = MachineSettings()
    change(&settings)
    return try MachineRequest(settings, directory: Array("/work".utf8))
  }

  @Test func isWhatTheShorterOptionsSay() throws {
    let request = try request {
      $0.mount = [
        "type=bind,source=./a,target=/b,readonly", "type=bind,src=/c,dst=/d", "source=db,target=/var/lib/db",
        "type=tmpfs,destination=/cache,tmpfs-size=64m,tmpfs-mode=1770",
      ]
    }
    #expect(
      request.shares == [
        TreeShare(TreeMap(guest: "/b", host: "/work/./a"), isReadOnly: true),
        TreeShare(TreeMap(guest: "/d", host: "/c")),
      ])
    #expect(request.volumes == [VolumeMap(name: "db", guest: Array("/var/lib/db".utf8))])
    #expect(request.temporaries.map(\.argument) == ["/cache:size=64m,mode=1770"])
  }

  @Test(arguments: [
    ("source=db,target=/a,readonly", "readonly", "bind"), ("type=tmpfs,target=/a,ro=true", "readonly", "bind"),
    ("type=bind,source=/a,target=/b,tmpfs-size=1m", "tmpfs-size", "tmpfs"),
    ("type=volume,source=a,target=/b,tmpfs-mode=700", "tmpfs-mode", "tmpfs"),
  ])
  func keysAreOfTheirType(_ text: String, key: String, type: String) {
    #expect(throws: NovmError.mountKey(Array(text.utf8), key, type: type)) {
      try MountArgument(Array(text.utf8), directory: [])
    }
  }

  @Test func writableSaysNothingNew() throws {
    let text = "source=db,target=/a,readonly=false"
    #expect(
      try MountArgument(Array(text.utf8), directory: [])
        == .volume(VolumeMap(name: "db", guest: Array("/a".utf8))))
  }

  @Test func directoriesInMemory() throws {
    let request = try request {
      $0.tmpfs = ["/a//b/", "/c:rw,noexec,size=1g,mode=1777"]
      $0.shmSize = "1G"
    }
    #expect(
      request.temporaries.map(\.argument) == ["/a/b", "/c:size=1g,mode=1777", "/dev/shm:mode=1777,size=1024m"])
    let kernel = KernelFiles(name: "k", release: "6.1.0", image: "/k/vmlinux")
    let line = String(decoding: request.compose(kernel: kernel, scratch: "/s").kernelCommandLine, as: UTF8.self)
    #expect(line.contains(" novm.tmpfs=/a/b novm.tmpfs=/c:size=1g,mode=1777 novm.tmpfs=/dev/shm:"))
  }

  @Test(arguments: ["", "a", "/", "/a/../b", "/a b", "/a:size", "/a:size=", "/a:huge=always", "/a:size=1 x", "/\"a"])
  func refusesWhatIsNone(_ text: String) {
    #expect(throws: NovmError.temporary(text)) { try TemporaryMap(parsing: text) }
  }

  @Test(
    arguments: [
      ("type=bind,target=/a", nil), ("type=bind,source=/a", nil), ("type=npipe,source=a,target=/b", nil),
      ("type=bind,source=/a,target=/b,propagation=shared", "propagation"),
      ("type=tmpfs,source=a,target=/b", nil), ("", nil),
    ] as [(String, String?)])
  func refusesOtherKeys(_ text: String, key: String?) {
    #expect(throws: NovmError.mount(Array(text.utf8), key)) {
      try MountArgument(Array(text.utf8), directory: [])
    }
  }
}
