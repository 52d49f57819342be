import Glibc
import Host
import HostTesting
import Testing

@testable import NovmKit

struct HostReportTests {
  @Test func aHostThatConfinesLittleIsDoubtful() {
    let check = MonitorCheck(output: "missing=\nloop_us=1000\nlandlock=0\nseccomp=0\nverdict=ok\n", errors: "")
    let point = HostReport.points(of: check).last
    #expect(point?.state == .doubtful)
    #expect(point?.detail == "monitors run without seccomp filters and Landlock")
  }

  @Test func readsNovmmsAnswer() {
    let check = MonitorCheck(output: "api=12\nmissing=\nvcpus=255\nloop_us=1234\nverdict=ok\n", errors: "")
    #expect(check == MonitorCheck(verdict: .fast, milliseconds: 1.234))
    #expect(HostReport.points(of: check).allSatisfy { $0.state == .good })
  }

  @Test func aSlowHostIsNoHost() {
    let check = MonitorCheck(output: "missing=\nloop_us=1700000\nverdict=slow\n", errors: "")
    let points = HostReport.points(of: check)
    #expect(points.map(\.state) == [.good, .bad])
    #expect(points.last?.mend != nil)
  }

  @Test func namesWhatIsMissing() {
    let check = MonitorCheck(output: "missing=IRQFD,IOEVENTFD\nverdict=ok\n", errors: "")
    #expect(HostReport.points(of: check).first?.detail == "lacks IRQFD, IOEVENTFD")
  }

  @Test(arguments: ["", "verdict=no-kvm\n", "verdict=failed(unknown)\n"])
  func passesNovmmsWordsOn(output: String) {
    let check = MonitorCheck(output: output, errors: "novmm: /dev/kvm: out of order\n")
    #expect(check.verdict == .unusable("/dev/kvm: out of order"))
    #expect(HostReport.points(of: check).map(\.state) == [.bad])
  }

  @Test func eachErrorOfTheDeviceHasItsMend() {
    #expect(KVMDevice.point(Errno(EACCES), processor: .intel).mend?.contains("usermod -aG kvm") == true)
    #expect(KVMDevice.point(Errno(ENOENT), processor: .intel).mend == "sudo modprobe kvm_intel")
    #expect(KVMDevice.point(Errno(ENOENT), processor: .amd).mend == "sudo modprobe kvm_amd")
    #expect(KVMDevice.point(Errno(ENOENT), processor: .none).mend?.contains("firmware") == true)
  }

  @Test func machinesNeedADirectoryWithAttributes() throws {
    let directory = try TemporaryDirectory()
    #expect(HostReport.directory("machines", directory.path + "/a/b", holdsTrees: true).state == .good)
  }

  @Test(.needsRoot) func fileSystemsWithoutAttributesAreNamed() {
    // sysfs(5) has none in `user.`.
    let point = HostReport.directory("machines", "/sys/kernel/none", holdsTrees: true)
    #expect(point.state == .bad)
    #expect(point.mend?.contains("NOVM_ROOT") == true)
    #expect(HostReport.directory("machines", "/sys/kernel/none").state == .good)
  }

  @Test func readsTheProcessor() {
    #expect(KVMDevice.Processor(cpuinfo: "processor\t: 0\nflags\t\t: fpu vmx sse\n") == .intel)
    #expect(KVMDevice.Processor(cpuinfo: "flags : fpu svm\n") == .amd)
    #expect(KVMDevice.Processor(cpuinfo: "flags : fpu\n") == .none)
    #expect(KVMDevice.Processor(cpuinfo: "") == .none)
  }
}
