import Testing

@testable import Host

struct DiskTests {
  private func read(_ text: String) throws(DiskFault) -> Disk { try Disk(Array(text.utf8)) }

  @Test func readsAllOptions() throws {
    let disk = try read("/a/b,ro,serial=x-1,rate=10M,iops=500,cache=none,dev=data")
    var expected = Disk(.file("/a/b"))
    expected.isReadOnly = true
    (expected.serial, expected.name) = ("x-1", "data")
    (expected.rate, expected.operations, expected.cache) = (10 << 20, 500, .none)
    #expect(disk == expected)
    #expect(try read("a") == Disk(.file("a")))
    #expect(try read("fd:7,cache=unsafe").source == .descriptor(7))
    // A link needs something to find the disk by.
    #expect(try read("a,dev=data").serial == "data")
    for name in ["vdisk-1", "data0", "nullable", "a.b+c"] { #expect(try read("a,dev=\(name)").name == name) }
  }

  @Test(arguments: ["a", "a,,b,ro", "fd:3", "/a,ro,serial=b,dev=c,rate=2048,iops=1,cache=unsafe", "x,,,,"])
  func writesWhatItReads(_ text: String) throws {
    let disk = try read(text)
    #expect(try Disk(disk.argument) == disk)
  }

  @Test func commasOfPaths() throws {
    #expect(try read("a,,b,ro").source == .file("a,b"))
    #expect(try Disk([0x61, 0xff, 0x2c, 0x72, 0x6f]).source == .file(Path([0x61, 0xff])))
  }

  @Test(arguments: [
    ("", DiskFault.noFile), (",ro", .noFile), ("fd:x", .descriptor("fd:x")), ("fd:-1", .descriptor("fd:-1")),
    ("a,ro,ro", .twice("ro")), ("a,", .unknownKey("")), ("a,rw", .unknownKey("rw")), ("a,ro=1", .value("ro")),
    ("a,serial", .noValue("serial")), ("a,serial=", .serial("")), ("a,serial=a b", .serial("a b")),
    ("a,serial=123456789012345678901", .serial("123456789012345678901")), ("a,dev=../x", .name("../x")),
    ("a,dev=vda", .nameOfGuest("vda")), ("a,dev=vdab12", .nameOfGuest("vdab12")), ("a,dev=null", .nameOfGuest("null")),
    ("a,dev=ttyS0", .nameOfGuest("ttyS0")), ("a,dev=..", .name("..")), ("a,cache=all", .cache("all")),
    ("a,rate=0", .number("rate", Disk.rateRange)),
    ("a,rate=x", .number("rate", Disk.rateRange)), ("a,iops=0", .number("iops", Disk.operationsRange)),
    ("a,iops=9999999999999999999", .number("iops", Disk.operationsRange)),
  ])
  func refuses(_ text: String, _ fault: DiskFault) {
    #expect(throws: fault) { try read(text) }
    #expect(!fault.description.isEmpty)
  }

  /// Of --pmem.
  @Test func memoryHasOneOption() throws {
    let disk = try Disk(Array("/a,,b,ro".utf8), isMapped: true)
    #expect(disk.source == .file("/a,b") && disk.isReadOnly)
    #expect(try Disk(disk.argument, isMapped: true) == disk)
    for (text, fault) in [
      ("a,serial=x", DiskFault.onlyReadOnly("serial")), ("a,x", .onlyReadOnly("x")), ("a,ro=1", .value("ro")),
      ("a,ro,ro", .twice("ro")), (",ro", .noFile),
    ] {
      #expect(throws: fault) { try Disk(Array(text.utf8), isMapped: true) }
    }
  }

  @Test func repeatedNames() throws {
    let disks = [try read("a,serial=1,dev=x"), try read("b,serial=2"), try read("c")]
    #expect(Disk.repeatedSerial(disks) == nil && Disk.repeatedName(disks) == nil)
    #expect(Disk.repeatedSerial(disks + [try read("d,dev=2")]) == "2")
    #expect(Disk.repeatedName(disks + [try read("d,serial=3,dev=x")]) == "x")
  }
}
