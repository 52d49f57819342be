import Testing

@testable import KernelBundle

struct KernelReleaseTests {
  @Test func oldestToNewest() {
    let ordered = [
      "4.19.0-27-amd64", "5.9.16", "5.10.0-9-amd64", "5.10.0-10-amd64", "6.1.0-9-amd64", "6.1.0-56-amd64",
      "6.1.0-56-cloud-amd64", "6.2.0-rc1", "6.2.0-rc2", "6.2.0-rc10", "6.2.0", "6.2.0-1", "6.2.1",
      "6.12.48+deb13-amd64",
      "6.12.48+deb13-cloud-amd64", "7.0.0-rc1+", "7.0.0",
    ]
    for (one, earlier) in ordered.enumerated() {
      for (other, later) in ordered.enumerated() {
        #expect((KernelRelease(earlier) < KernelRelease(later)) == (one < other), "\(earlier) \(later)")
      }
    }
  }

  @Test func oneOrderForWhatIsEqualByValue() {
    #expect(KernelRelease("6.01") != KernelRelease("6.1"))
    #expect((KernelRelease("6.01") < KernelRelease("6.1")) != (KernelRelease("6.1") < KernelRelease("6.01")))
    #expect(KernelRelease("") < KernelRelease("0"))
    #expect(KernelRelease("99999999999999999999999") < KernelRelease("100000000000000000000000"))
  }
}
