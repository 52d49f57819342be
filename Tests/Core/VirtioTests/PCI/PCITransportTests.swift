import GuestMemory
import PCI
import Testing
import VirtioTesting

@testable import Virtio

struct PCITransportTests {
  private let memory = FakeGuestMemory(size: 1 << 20)
  private let owner = FakeOwner()
  private let device = FakeDevice()
  private let driver: PCIDriver

  init() { driver = PCIDriver(device, memory, owner) }

  private var pci: PCITransport { driver.pci }

  /// Steps to a device that runs, with a vector for its configuration (0) and each queue (1, 2).
  private func start() {
    driver.negotiate()
    driver.setUp(queue: 0)
    driver.setUp(queue: 1, at: 0x8000)
    driver.writeStatus(15)
  }

  @Test func identity() {
    #expect(pci.readConfiguration(at: 0, width: 4) == 0x106a_1af4)
    #expect(pci.readConfiguration(at: 8, width: 1) == 1)
    #expect(pci.readConfiguration(at: 0x2e, width: 2) >= 0x40)
  }

  /// 4.1.4: one of each kind, inside the region, and none twice.
  @Test func structures() throws {
    #expect(Set(driver.structures.keys) == [1, 2, 3, 4, 5])
    for (kind, structure) in driver.structures where kind != 5 {
      #expect(structure.region == 0 && structure.length > 0)
      #expect(structure.offset + structure.length <= PCITransport.registers.size, "kind \(kind)")
    }
    let places = driver.structures.filter { $0.key != 5 }.values.sorted { $0.offset < $1.offset }
    for (one, next) in zip(places, places.dropFirst()) { #expect(one.offset + one.length <= next.offset) }
    #expect(try #require(driver.structures[1]).offset & 3 == 0)
    #expect(try #require(driver.structures[2]).offset & 1 == 0)
    #expect(try #require(driver.structures[4]).length == 5)
    // One vector for each queue and one for the configuration (6.8.2.3: less one).
    #expect(pci.readConfiguration(at: driver.messages + 2, width: 2) & 0x7ff == 2)
  }

  @Test func sharedMemory() throws {
    device.window = 0x2_0000_0000..<0x2_3000_0000
    let driver = PCIDriver(device, memory, owner)
    let structure = try #require(driver.structures[8])
    #expect(structure.region == 2 && structure.offset == 0 && structure.length == 0x3000_0000)
    let region = try #require(driver.pci.sharedMemory)
    #expect(region.size == 0x4000_0000 && driver.pci.address(of: region) == 0x2_0000_0000)
    #expect(driver.pci.readConfiguration(at: structure.capability + 2, width: 1) == 24)
    #expect(driver.pci.read(region: 2, at: 0, width: 8) == 0)
    #expect(pci.sharedMemory == nil && PCITransport.sharedMemorySize(.max) == 1 << 62)
  }

  @Test func eachQueueHasItsMessage() {
    start()
    pci.interrupt.signal(queue: 1)
    pci.interrupt.signal(queue: 0)
    pci.configurationChanged()
    #expect(driver.sink.messages.map(\.data) == [2, 1, 0])
  }

  @Test func vectorsThatThereAreNot() {
    driver.select(0)
    driver.setCommon(3, 26, width: 2)
    #expect(driver.common(26, width: 2) == 0xffff)
    driver.setCommon(2, 26, width: 2)
    #expect(driver.common(26, width: 2) == 2)
    driver.setCommon(0xffff, 16, width: 2)
    #expect(driver.common(16, width: 2) == 0xffff)
    pci.configurationChanged()
    #expect(driver.sink.messages.isEmpty)
    driver.select(9)
    driver.setCommon(1, 26, width: 2)
    #expect(driver.common(26, width: 2) == 0xffff)
  }

  @Test func resetForgetsVectorsAndWhatWaits() {
    start()
    pci.writeConfiguration(0xc000, at: driver.messages + 2, width: 2)
    pci.interrupt.signal(queue: 0)
    #expect(pci.read(region: 0, at: 0x2000, width: 4) == 0b10)
    driver.setCommon(0, 20, width: 1)
    #expect(pci.read(region: 0, at: 0x2000, width: 4) == 0)
    #expect(driver.common(16, width: 2) == 0xffff)
    driver.select(0)
    #expect(driver.common(26, width: 2) == 0xffff)
    pci.writeConfiguration(0x8000, at: driver.messages + 2, width: 2)
    pci.interrupt.signal(queue: 0)
    #expect(driver.sink.messages.isEmpty)
  }

  /// As before kexec, which starts a kernel that knows nothing of where the devices' queues are.
  @Test func whoIsNoLongerMasterOfTheBusIsReset() {
    start()
    device.log = owner
    pci.writeConfiguration(0x406, at: 4, width: 2)
    pci.writeConfiguration(0x6, at: 4, width: 2)
    #expect(owner.events == ["started"] && driver.readStatus() == 15)
    pci.writeConfiguration(0x2, at: 4, width: 2)
    #expect(owner.events == ["started", "stopped", "device reset"] && driver.readStatus() == 0)
    pci.interrupt.signal(queue: 0)
    #expect(driver.sink.messages.isEmpty)
    // And begins anew.
    pci.writeConfiguration(0x6, at: 4, width: 2)
    start()
    #expect(driver.readStatus() == 15)
  }

  /// 4.1.4.5.1
  @Test func reasonsAreReadOnce() {
    start()
    pci.writeConfiguration(0, at: driver.messages + 2, width: 2)
    let isr = driver.structures[3]!
    pci.interrupt.signal(queue: 0)
    pci.configurationChanged()
    #expect(pci.readConfiguration(at: 4, width: 4) & 1 << 19 != 0 && pci.readConfiguration(at: 6, width: 2) & 8 != 0)
    #expect(pci.read(region: isr.region, at: isr.offset, width: 1) == 3)
    #expect(pci.read(region: isr.region, at: isr.offset, width: 1) == 0)
    #expect(pci.readConfiguration(at: 6, width: 2) & 8 == 0)
    #expect(driver.sink.messages.isEmpty)
  }

  @Test func fieldsAreWrittenWhole() {
    driver.negotiate()
    driver.select(1)
    driver.setCommon(7, 22, width: 1)
    driver.setCommon(7, 22, width: 4)
    driver.setCommon(7, 23, width: 1)
    #expect(driver.common(22, width: 2) == 1)
    driver.setCommon(0, 20, width: 4)
    driver.setCommon(0, 20, width: 2)
    #expect(driver.readStatus() == 11)
    driver.setCommon(99, 18, width: 2)
    #expect(driver.common(18, width: 2) == 2)
    // Reads may have any width.
    #expect(driver.common(17, width: 4) == driver.common(16, width: 4) >> 8 | driver.common(20, width: 1) << 24)
  }

  // MARK: The window in the configuration (4.1.4.9)

  private func access(_ offset: UInt32, _ length: UInt32, region: UInt32 = 0) {
    let window = driver.structures[5]!.capability
    pci.writeConfiguration(region, at: window + 4, width: 1)
    pci.writeConfiguration(offset, at: window + 8, width: 4)
    pci.writeConfiguration(length, at: window + 12, width: 4)
  }

  private var data: UInt32 {
    get { pci.readConfiguration(at: driver.structures[5]!.capability + 16, width: 4) }
    nonmutating set { pci.writeConfiguration(newValue, at: driver.structures[5]!.capability + 16, width: 4) }
  }

  @Test func registersThroughTheConfiguration() {
    access(20, 1)
    data = 1
    #expect(driver.readStatus() == 1 && data & 0xff == 1)
    access(0, 4)
    data = 1
    access(4, 4)
    #expect(data == 1)  // VIRTIO_F_VERSION_1
    access(UInt32(PCITransport.notifyOffset(queue: 1)), 2)
    data = 1
    #expect(owner.notifications == [1])
  }

  @Test(
    arguments: [(20, 0), (20, 3), (20, 8), (21, 2), (22, 4), (0x4000, 4), (.max, 1), (20, .max)]
      as [(UInt32, UInt32)])
  func windowOntoNothing(offset: UInt32, length: UInt32) {
    driver.negotiate()
    access(offset, length)
    data = 0
    _ = data
    access(20, 1, region: 1)
    data = 0
    #expect(driver.readStatus() == 11)
  }
}
