// swift-tools-version: 6.2
import PackageDescription

// The arrows of this manifest are the architecture: see docs/architecture.md.

let strict: [SwiftSetting] = [
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableExperimentalFeature("Lifetimes"),
]

/// What makes `novm` one executable without shared libraries that lies at any address, for scripts/build
/// (docs/decisions/0025-novm-is-static.md). Its relative relocations are a bitmap (DT_RELR), which Swift's usual linker does
/// not write.
let staticPIE = [
  "-static-executable", "-Xclang-linker", "-static-pie", "-use-ld=lld", "-Xlinker", "-z", "-Xlinker",
  "pack-relative-relocs",
]
let novmLinking: [LinkerSetting] =
  Context.environment["NOVM_STATIC"] == "1" ? [.unsafeFlags(staticPIE, .when(configuration: .release))] : []

/// A target that must also compile in Embedded Swift with no operating system below (scripts/embedded).
func core(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func host(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies)
}

let package = Package(
  name: "novm",
  products: [
    .executable(name: "novm", targets: ["novm"]),
    .executable(name: "novmm", targets: ["novmm"]),
    .executable(name: "nofetch", targets: ["nofetch"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    // Headers only: constants, layouts, static inlines.
    .target(name: "CLinux"),
    .target(name: "CKVM"),
    .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
    .systemLibrary(
      name: "CCompression",
      providers: [
        .apt(["libbz2-dev", "liblz4-dev", "liblzma-dev", "liblzo2-dev", "libzstd-dev", "zlib1g-dev"])
      ]),

    .systemLibrary(name: "CNettle", providers: [.apt(["nettle-dev"])]),
    .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CURing", providers: [.apt(["liburing-dev"])]),
    .systemLibrary(name: "CCurl", providers: [.apt(["libcurl4-openssl-dev"])]),

    // The core: no operating system.
    core("LittleEndian"),
    core("GuestMemory"),
    core("PCI", ["LittleEndian"]),
    core("Virtio", ["GuestMemory", "PCI", "LittleEndian"]),
    core("Devices", ["Virtio", "GuestMemory", "LittleEndian"]),
    core("Boot", ["GuestMemory", "LittleEndian"]),
    core("FUSE", ["GuestMemory"]),
    core("AgentProtocol"),

    // The VMM: Linux, no Foundation.
    host("Host", ["CLinux"]),
    host("IOURing", ["CURing", "CLinux", "Host"]),
    host("KVM", ["Boot", "GuestMemory", "Host", "LittleEndian", "CKVM"]),
    host("FileSystem", ["FUSE", "Host", "GuestMemory", "LittleEndian"]),
    host(
      "Machine",
      [
        "KVM", "IOURing", "Devices", "Boot", "FileSystem", "AgentProtocol", "Host", "PCI", "Virtio", "GuestMemory",
        "LittleEndian",
      ]),
    .executableTarget(
      name: "novmm", dependencies: ["Machine"], swiftSettings: strict,
      linkerSettings: [.unsafeFlags(["-static-executable"])]),

    // The command.
    host("KernelBundle", ["CArchive", "CCompression", "CLinux", "Host", "Packs"]),
    host("Store", ["Host"]),
    host("Download", ["Host"]),
    host("Packs", ["CArchive", "CNettle", "CLinux", "Host", "Store"]),
    host("Changes", ["FileSystem", "FUSE", "Packs", "Host"]),
    host(
      "NovmKit",
      [
        "Store", "Packs", "Changes", "FileSystem", "Download", "KernelBundle", "AgentProtocol", "Boot", "Host",
        "CLinux", "CYAML",
        .product(name: "Logging", package: "swift-log"),
      ]),
    .executableTarget(
      name: "novm",
      dependencies: [
        "NovmKit", "Packs", "Changes", "Download", "Host",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      linkerSettings: novmLinking),

    // What talks to servers for it.
    .executableTarget(name: "nofetch", dependencies: ["Download", "CCurl", "Host"], swiftSettings: strict),

    // Tests mirror the sources.
    .target(name: "VirtioTesting", dependencies: ["Virtio", "PCI", "GuestMemory"], path: "Tests/VirtioTesting"),
    .target(name: "HostTesting", path: "Tests/HostTesting"),
    tests("LittleEndianTests", ["LittleEndian"]),
    tests("GuestMemoryTests", ["GuestMemory", "VirtioTesting"]),
    tests("PCITests", ["PCI"]),
    tests("VirtioTests", ["Virtio", "VirtioTesting"]),
    tests("DevicesTests", ["Devices", "LittleEndian", "VirtioTesting"]),
    tests("BootTests", ["Boot", "VirtioTesting", "HostTesting"]),
    tests("FUSETests", ["FUSE", "GuestMemory", "VirtioTesting"]),
    tests("FileSystemTests", ["FileSystem", "FUSE", "GuestMemory", "Host", "VirtioTesting", "HostTesting"]),
    // Mounts a tree on this host through /dev/fuse.
    .executableTarget(
      name: "treemount", dependencies: ["FileSystem", "FUSE", "GuestMemory", "Host"], path: "Tests/treemount"),
    // Counts heap allocations of the requests that come most.
    .target(name: "CCountingAllocator", path: "Tests/CCountingAllocator"),
    .executableTarget(
      name: "allocations", dependencies: ["CCountingAllocator", "FileSystem", "FUSE", "GuestMemory"],
      path: "Tests/allocations"),
    tests("HostTests", ["Host"]),
    tests("IOURingTests", ["IOURing", "Host"]),
    tests("KVMTests", ["KVM", "Boot"]),
    tests("MachineTests", ["Machine", "IOURing", "LittleEndian", "VirtioTesting"]),
    tests("AgentProtocolTests", ["AgentProtocol"]),
    tests("GuestAgentTests", ["AgentProtocol", "HostTesting"]),
    tests("KernelBundleTests", ["KernelBundle", "Packs", "HostTesting"]),
    tests("StoreTests", ["Store", "Host", "HostTesting"]),
    tests("PacksTests", ["Packs", "Host"]),
    tests("ChangesTests", ["Changes", "FileSystem", "Packs", "Host"]),
    tests("DownloadTests", ["Download", "nofetch", "Host", "HostTesting"]),
    tests("NovmKitTests", ["NovmKit", "AgentProtocol", "Boot", "KernelBundle", "Host", "HostTesting"]),
    tests("NovmTests", ["novm", "HostTesting"]),
    // Runs the program. As a dependency it would bring its linker flags along.
    tests("NovmmTests", []),
  ],
  cLanguageStandard: .gnu17
)
