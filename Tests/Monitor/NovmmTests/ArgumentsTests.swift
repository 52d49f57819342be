import Foundation
import Testing

/// novmm's command line, as far as it goes without a machine.
struct ArgumentsTests {
  private struct Result {
    var status: Int32
    var output: String
    var errors: String
  }

  /// Runs the built `novmm`, which is beside the test bundle, with words as bash writes them: they need not be text.
  private func novmm(_ words: String) throws -> Result {
    let bundle = try #require(CommandLine.arguments.first { $0.contains(".xctest") })
    let directory = URL(fileURLWithPath: bundle).deletingLastPathComponent()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", "exec \"$0\" \(words)", directory.appendingPathComponent("novmm").path]
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    // Little enough to fit into the pipes.
    process.waitUntilExit()
    func text(_ pipe: Pipe) -> String {
      String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    }
    return Result(status: process.terminationStatus, output: text(output), errors: text(errors))
  }

  /// The one line that it ends with.
  private func complaint(_ words: String, status: Int32) throws -> Substring {
    let result = try novmm(words)
    #expect(result.status == status)
    #expect(result.output == "")
    #expect(result.errors.hasPrefix("novmm: ") && result.errors.hasSuffix("\n"))
    let line = result.errors.dropFirst(7).dropLast()
    #expect(!line.contains("\n"), "\(line)")
    return line
  }

  @Test(arguments: [
    ("", "no kernel: give --kernel FILE"),
    ("--kernel x --keep-identity", "--keep-identity: only with --restore"),
    ("--memroy 1", "unknown option --memroy; novmm --help lists them"),
    ("--kernel", "--kernel wants a value"),
    ("--memory 0", "--memory 0: give a whole number from 1 to 262144"),
    ("--memory=1x", "--memory 1x: give"),
    ("--entropy-rate 1", "--entropy-rate 1: give bytes in a second, from 64 on: 4096, 64K, 1M"),
    ("--confine on", "--confine on: give auto, require or off"),
    ("--huge-pages on", "--huge-pages on: give transparent, hugetlbfs or off"),
    ("--cpus 256", "--cpus 256: give a count from 1 to 254"),
    ("--read 'x=>/srv'", "--read x=>/srv: give GUEST=>HOST, GUEST an absolute path"),
    ("--write '/x=>'", "--write /x=>: give GUEST=>HOST"),
    ("--tag ''", "give 1 to 36 bytes"),
    ("--share '/a=>/b:tag='", "give a tag of 1 to 36 bytes"),
    ("--kernel x --share '/a=>/b:tag=root'", "the tree has this tag"),
    ("--share '/a=>/b:tag=x' --share '/c=>/d:tag=x'", "another share has this tag"),
    ("--share '/a=>/b:tag=x/0' --share '/c=>/d:tag=x'", "another share has this tag"),
    ("--share '/a=>/b:tag=x' --share '/c=>/d:tag=x/1'", "another share has this tag"),
    ("--share '/a=>/b:tag=x/'", "give a file's tag a name behind its slash"),
    ("$(for n in 1 2 3 4 5 6 7 8 9; do echo --share /=/:tag=$n; done)", "no more than 8 shares can have tags"),
    ("--vsock /tmp/s,cid=2", "a guest's cid is from 3"),
    ("--nic tap0", "--nic tap0: 'tap0' is not KEY=VALUE"),
    ("--nic=mac=02:00:00:00:00:01", "no link; give tap=NAME"),
    ("--nic tap=$'a\\xff'", "is no name of an interface"),
    (
      "--kernel x --nic tap=a,mac=02:00:00:00:00:01 --nic tap=b,mac=02:00:00:00:00:01", "two cards have the address 02:"
    ),
    ("--kernel x $(printf -- '--nic tap=t%d ' 1 2 3 4 5 6 7 8 9)", "9 cards are more than the 8"),
    ("--kernel x --egress 10.0.2.15/24", "--egress: is for one card by a stream, and there are 0"),
    ("--kernel x --egress 10.0.2.15/24 --nic tap=a", "--egress: is for one card by a stream, and there are 0"),
    ("--egress 10.0.2.15/+24", "--egress 10.0.2.15/+24: give ADDRESS/LENGTH"),
    ("--egress 10.0.2.15/24,udp=0", "--egress 10.0.2.15/24,udp=0: give ADDRESS/LENGTH"),
    ("--lifeline 3", "--lifeline 3: give fd:N"),
    ("--com1 fd:x", "--com1 fd:x: give fd:N"),
    ("--kvm=fd:", "--kvm fd:: give fd:N"),
    ("--discovery dsdt", "--discovery dsdt: give acpi or cmdline"),
    ("--transport isa", "--transport isa: give mmio or pci"),
    ("--place disk0", "--place disk0: give DEVICE=N"),
    ("--place disk0=256", "--place disk0=256: give DEVICE=N"),
    ("--kernel x --transport pci --discovery cmdline", "--transport pci: a kernel finds the bus by ACPI"),
    ("--numa 1G", "--numa 1G: give MIB[,cpus=FIRST-LAST]"),
    ("--numa-distance 0,1=9", "--numa-distance 0,1=9: give NODE,NODE=N from 11 to 255"),
    ("--kernel x --numa-distance 0,1=30", "--numa-distance: there are no nodes"),
    ("--kernel x --numa 256 --numa 128", "--numa: the nodes have 384 MiB of memory and the machine 512 MiB"),
    ("--kernel x --numa 512 --discovery cmdline", "--numa: a kernel finds nodes by ACPI"),
    ("--restore x --numa 512", "--restore: has its kernel in memory; leave out"),
    ("--restore x --setup x", "--restore: has its kernel in memory; leave out --kernel, --setup"),
    ("--restore x --kaslr on", "--restore: has its kernel in memory; leave out"),
    ("$'--\\xff\\n'", "unknown option --\\xff\\x0a; novmm"),
  ])
  func whatMakesNoSenseIsNamed(_ words: String, _ text: String) throws {
    let complaint = try complaint(words, status: 2)
    #expect(complaint.contains(text), "\(complaint)")
  }

  @Test(arguments: [
    ("--kernel /no/where", "/no/where: No such file or directory"),
    ("--kernel $'/no/\\xff'", "/no/\\xff: No such file or directory"),
    ("--kernel /", "/: Is a directory"),
    ("--kernel /etc/passwd", "kernel /etc/passwd: neither a vmlinux (ELF) nor a bzImage"),
    ("--kernel=/proc/self/exe --initramfs=/no/where", "/no/where: No such file or directory"),
  ])
  func whatIsNotThereIsNamed(_ words: String, _ text: String) throws {
    #expect(try complaint(words, status: 1) == text)
  }

  /// 256 GiB is what a machine can have; whoever has a host with more tests it there.
  @Test(.enabled(if: ProcessInfo.processInfo.physicalMemory < 128 << 30))
  func moreMemoryThanTheHostHasIsRefused() throws {
    let result = try novmm("--kernel /proc/self/exe --memory 262144")
    #expect(result.status == 1)
    #expect(result.errors.hasPrefix("novmm: 262144 MiB of memory are more than this host has; give --memory "))
    #expect(result.errors.filter { $0 == "\n" }.count == 1)
  }

  /// Each option of the manual is one, and takes a value if the manual shows one.
  @Test func theManualIsRight() throws {
    let manual = try novmm("--help")
    #expect(manual.status == 0 && manual.errors == "")
    let lines = manual.output.split(separator: "\n").filter { $0.hasPrefix("  --") }
    #expect(lines.count >= 18)
    for line in lines {
      let words = line.split(separator: " ")
      let options = words.prefix { $0.hasPrefix("--") }.map { $0.filter { $0 != "," } }
      let takesValue = words.dropFirst(options.count).first?.first.map { $0.isUppercase || "[-f".contains($0) } ?? false
      for option in options {
        // What follows an option without a value is the next option, unless it ends the program.
        let errors = try novmm(takesValue ? option : "\(option) --nonsense").errors
        if takesValue {
          #expect(errors == "novmm: \(option) wants a value\n")
        } else {
          #expect(
            errors.contains("unknown option --nonsense") || ["--help", "--version"].contains(option), "\(errors)")
          #expect(!errors.contains("unknown option \(option)"))
        }
      }
    }
  }

  @Test func version() throws {
    let result = try novmm("--version")
    #expect(result.status == 0 && result.output.hasPrefix("novmm ") && result.errors == "")
  }
}
