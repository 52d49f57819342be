import Boot
import Foundation
import HostTesting
import Testing

@Suite struct BootParametersTests {
  private func parameters() throws -> BootParameters {
    var parameters = BootParameters(SetupHeader())
    parameters.setCommandLine(0x1_0002_0000)
    parameters.setInitramfs(0x2_3456_7000..<0x3_4567_8001)
    parameters.setACPI(0xe_0000)
    parameters.setSetupData(0x1_0000)
    try parameters.setMemoryMap(try MemoryMap(size: 5 << 30).entries)
    return parameters
  }

  @Test func isOnePageWithoutSentinel() throws {
    let bytes = try parameters().bytes
    #expect(bytes.count == 4096)
    #expect(bytes[0x1ef] == 0)
    #expect(bytes.little(UInt32.self, at: 0x202) == 0x5372_6448)
    #expect(bytes[0x210] == 0xff)
    #expect(bytes[0x1e8] == 5)
  }

  @Test func refusesMoreRangesThanItHolds() throws {
    var parameters = BootParameters(SetupHeader())
    let entry = MemoryMap.Entry(0..<4096, .ram)
    try parameters.setMemoryMap([MemoryMap.Entry](repeating: entry, count: 128))
    #expect(throws: BootError.tooManyMemoryRanges(129)) {
      try parameters.setMemoryMap([MemoryMap.Entry](repeating: entry, count: 129))
    }
  }

  @Test func seedNodeIsAListOfOne() {
    let node = BootParameters.seedNode([7, 8, 9])
    #expect(node == [0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 3, 0, 0, 0, 7, 8, 9])
  }

  /// A C program reads the page through the kernel's own definition of it.
  @Test(.needs("a C compiler", Tool.exists("cc") || Tool.exists("clang")))
  func kernelHeaderReadsTheSame() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("novm-bp-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let program = """
      #include <asm/bootparam.h>
      #include <stdio.h>
      struct boot_params p;
      int main(void) {
        if (sizeof p != 4096 || fread(&p, 1, sizeof p, stdin) != sizeof p) return 1;
        printf("%x %x %x %x %x %x ", p.hdr.cmd_line_ptr, p.ext_cmd_line_ptr, p.hdr.ramdisk_image, p.ext_ramdisk_image,
               p.hdr.ramdisk_size, p.ext_ramdisk_size);
        printf("%llx %llx %x %x %x %x ", p.acpi_rsdp_addr, p.hdr.setup_data, p.hdr.type_of_loader, p.hdr.loadflags,
               p.hdr.boot_flag, p.hdr.version);
        printf("%x %x %x %x;", p.hdr.initrd_addr_max, p.hdr.cmdline_size, p.hdr.kernel_alignment, p.hdr.xloadflags);
        for (int i = 0; i < p.e820_entries; i++)
          printf(" %llx+%llx=%u", p.e820_table[i].addr, p.e820_table[i].size, p.e820_table[i].type);
        return 0;
      }
      """
    try program.write(to: directory.appendingPathComponent("read.c"), atomically: true, encoding: .utf8)
    try Data(try parameters().bytes).write(to: directory.appendingPathComponent("page"))
    let compiler = Tool.exists("cc") ? "cc" : "clang"
    let built = try Tool.run(compiler, ["-o", "read", "read.c"], in: directory.path, withErrors: true)
    #expect(built.status == 0, "\(built.text)")
    let read = try Tool.run("sh", ["-c", "./read < page"], in: directory.path)
    #expect(read.status == 0)
    #expect(
      read.text == "20000 1 34567000 2 11111001 1 e0000 10000 ff 1 aa55 20f 7fffffff 7ff 200000 3;"
        + " 0+a0000=1 e0000+1e000=3 fe000+2000=2 100000+bff00000=1 100000000+80000000=1")
  }
}
