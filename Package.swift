// swift-tools-version: 6.2
import PackageDescription

// The folder is the layer, and a layer uses itself and those before it: see docs/architecture.md. scripts/layers draws this
// manifest and refuses arrows upward.

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

/// What makes `libnovm.so` a shared library that any program can load: Swift's runtime is in it, none of its symbols but novm's
/// own are seen, and it stays loaded, since that runtime does not end (docs/decisions/0044-libnovm.md). Only scripts/library
/// links it.
let isLibrary = Context.environment["NOVM_LIBRARY"] == "1"
let libraryLinking: [LinkerSetting] =
  !isLibrary
  ? []
  : [
    .unsafeFlags(
      ["-static-stdlib", "-use-ld=lld"]
        + [
          "--version-script=Sources/Library/libnovm/exports.map", "-soname=libnovm.so.1", "-z", "nodelete",
          "-Bsymbolic",
          "--gc-sections", "-z", "pack-relative-relocs",
        ].flatMap { ["-Xlinker", $0] })
  ]
/// Programs with `import Novm`, as others write them; scripts/examples links them.
let examples: [Target] =
  isLibrary ? [.executableTarget(name: "examples", dependencies: ["Novm"], path: "Examples/Swift")] : []
let products: [Product] = isLibrary ? [.library(name: "libnovm", type: .dynamic, targets: ["libnovm"])] : []

func headers(_ name: String) -> Target { .target(name: name, path: "Sources/C/\(name)") }

/// A library of the distribution's.
func library(_ name: String, pkgConfig: String? = nil, packages: [String]) -> Target {
  .systemLibrary(name: name, path: "Sources/C/\(name)", pkgConfig: pkgConfig, providers: [.apt(packages)])
}

func module(_ layer: String, _ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, path: "Sources/\(layer)/\(name)", swiftSettings: strict)
}

func core(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target { module("Core", name, dependencies) }

func tests(_ layer: String, _ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, path: "Tests/\(layer)/\(name)")
}

let package = Package(
  name: "novm",
  products: products + [
    .executable(name: "novm", targets: ["novm"]),
    .executable(name: "novmm", targets: ["novmm"]),
    .executable(name: "nofetch", targets: ["nofetch"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: examples + [
    // C: headers only, ours (constants, layouts, static inlines) and those of libraries.
    headers("CLinux"),
    headers("CKVM"),
    headers("CNovm"),
    library("CArchive", pkgConfig: "libarchive", packages: ["libarchive-dev"]),
    library(
      "CCompression",
      packages: ["libbz2-dev", "liblz4-dev", "liblzma-dev", "liblzo2-dev", "libzstd-dev", "zlib1g-dev"]),
    library("CNettle", packages: ["nettle-dev"]),
    library("CYAML", pkgConfig: "yaml-0.1", packages: ["libyaml-dev"]),
    library("CURing", packages: ["liburing-dev"]),
    library("CCurl", packages: ["libcurl4-openssl-dev"]),

    // Core: no operating system below. Compiles in Embedded Swift, too (scripts/embedded).
    core("LittleEndian"),
    core("GuestMemory"),
    core("State", ["LittleEndian"]),
    core("PCI", ["LittleEndian"]),
    core("Virtio", ["GuestMemory", "PCI", "State", "LittleEndian"]),
    core("Devices", ["Virtio", "State", "GuestMemory", "LittleEndian"]),
    core("Boot", ["GuestMemory", "LittleEndian"]),
    core("FUSE", ["GuestMemory"]),
    core("AgentProtocol"),
    core("Egress"),

    // Monitor: novmm and what it links, on Linux. No Foundation.
    module("Monitor", "Host", ["CLinux"]),
    module("Monitor", "Confinement", ["CLinux", "Host"]),
    module("Monitor", "IOURing", ["CURing", "CLinux", "Host"]),
    module("Monitor", "KVM", ["Boot", "GuestMemory", "State", "Host", "LittleEndian", "CKVM"]),
    module("Monitor", "FileSystem", ["FUSE", "Host", "State", "GuestMemory", "LittleEndian"]),
    module(
      "Monitor", "Machine",
      [
        "Confinement", "KVM", "IOURing", "Devices", "Egress", "Boot", "FileSystem", "AgentProtocol", "Host", "PCI",
        "Virtio", "State", "GuestMemory", "LittleEndian",
      ]),
    .executableTarget(
      name: "novmm", dependencies: ["Machine", "Confinement", "State"], path: "Sources/Monitor/novmm",
      swiftSettings: strict,
      linkerSettings: [.unsafeFlags(["-static-executable"])]),

    // Guest: noguest, which scripts/build-noguest compiles, of itself and AgentProtocol.

    // Hypervisor: the parts of nohv that are pure. The kernel itself and its programs are Embedded Swift, which
    // scripts/micro compiles, of these and of the core.
    module("Hypervisor", "HypercallABI"),
    module("Hypervisor", "FramePool"),
    module("Hypervisor", "Paging"),
    module("Hypervisor", "Capabilities", ["FramePool"]),
    module("Hypervisor", "Scheduling", ["FramePool"]),
    module("Hypervisor", "Firmware"),
    module("Hypervisor", "Chipset", ["GuestMemory"]),
    module("Hypervisor", "TreeArchive", ["Devices", "FUSE", "GuestMemory"]),

    // Kits: what the command does, each part without a command line.
    module("Kits", "Store", ["Host"]),
    module("Kits", "Download", ["Host"]),
    module("Kits", "Packs", ["CArchive", "CNettle", "CLinux", "Host", "Store"]),
    module("Kits", "Snapshots", ["LittleEndian", "Host", "Packs", "Store"]),
    module("Kits", "KernelBundle", ["CArchive", "CCompression", "CLinux", "Boot", "Host", "Packs"]),
    module("Kits", "Changes", ["FileSystem", "FUSE", "Packs", "Host"]),
    module("Kits", "Images", ["Packs", "Host"]),
    module("Kits", "Registry", ["Images", "Download", "Packs", "Host"]),
    module(
      "Kits", "NovmKit",
      [
        "Store", "Packs", "Images", "Registry", "Changes", "FileSystem", "Download", "KernelBundle", "AgentProtocol",
        "Boot", "Egress", "Host", "CLinux", "CYAML",
        .product(name: "Logging", package: "swift-log"),
      ]),

    // Library: novm for other programs. `Novm` is the interface; `libnovm` gives it to C, as a shared library that
    // scripts/library links.
    module(
      "Library", "Novm",
      [
        "NovmKit", "Store", "Packs", "Images", "Registry", "Download", "Changes", "KernelBundle", "AgentProtocol",
        "Host", "CLinux",
      ]),
    .target(
      name: "libnovm", dependencies: ["Novm", "NovmKit", "Host", "CNovm"], path: "Sources/Library/libnovm",
      exclude: ["exports.map"],
      swiftSettings: [.treatAllWarnings(as: .error)], linkerSettings: libraryLinking),

    // Command: what people type, and what speaks to web servers for it.
    .executableTarget(
      name: "novm",
      dependencies: [
        "Novm", "NovmKit", "Packs", "Images", "Registry", "Changes", "Download", "Confinement", "Host",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/Command/novm", linkerSettings: novmLinking),
    .executableTarget(
      name: "nofetch", dependencies: ["Download", "CCurl", "CLinux", "Confinement", "Host"],
      path: "Sources/Command/nofetch",
      swiftSettings: strict),

    // Tests mirror the sources.
    .target(
      name: "VirtioTesting", dependencies: ["Virtio", "PCI", "GuestMemory"], path: "Tests/Support/VirtioTesting"),
    .target(name: "CHostTesting", path: "Tests/Support/CHostTesting"),
    .target(name: "HostTesting", dependencies: ["CHostTesting"], path: "Tests/Support/HostTesting"),
    .target(name: "TraceTesting", path: "Tests/Support/TraceTesting"),

    tests("Core", "LittleEndianTests", ["LittleEndian"]),
    tests("Core", "StateTests", ["State", "LittleEndian"]),
    tests("Core", "GuestMemoryTests", ["GuestMemory", "VirtioTesting"]),
    tests("Core", "PCITests", ["PCI"]),
    tests("Core", "VirtioTests", ["Virtio", "VirtioTesting"]),
    tests("Core", "DevicesTests", ["Devices", "State", "LittleEndian", "VirtioTesting"]),
    tests("Core", "BootTests", ["Boot", "VirtioTesting", "HostTesting"]),
    tests("Core", "FUSETests", ["FUSE", "GuestMemory", "VirtioTesting"]),
    tests("Core", "AgentProtocolTests", ["AgentProtocol"]),
    tests("Core", "EgressTests", ["Egress"]),

    tests("Monitor", "HostTests", ["Host", "HostTesting", "CLinux"]),
    tests("Monitor", "ConfinementTests", ["Confinement", "CLinux", "Host", "HostTesting"]),
    // Confines itself and tries what it is told to.
    .executableTarget(
      name: "confined", dependencies: ["Confinement", "CLinux", "Host"], path: "Tests/Monitor/confined"),
    tests("Monitor", "IOURingTests", ["IOURing", "CURing", "Host"]),
    tests("Monitor", "KVMTests", ["KVM", "Boot", "State", "LittleEndian"]),
    tests(
      "Monitor", "FileSystemTests",
      ["FileSystem", "FUSE", "State", "GuestMemory", "LittleEndian", "Host", "VirtioTesting", "HostTesting"]),
    // Mounts a tree on this host through /dev/fuse.
    .executableTarget(
      name: "treemount", dependencies: ["FileSystem", "FUSE", "GuestMemory", "Host"], path: "Tests/Monitor/treemount"),
    // Counts heap allocations of the requests that come most.
    .target(name: "CCountingAllocator", path: "Tests/Monitor/CCountingAllocator"),
    .executableTarget(
      name: "allocations", dependencies: ["CCountingAllocator", "FileSystem", "FUSE", "GuestMemory"],
      path: "Tests/Monitor/allocations"),
    tests(
      "Monitor", "MachineTests",
      ["Machine", "Confinement", "CLinux", "IOURing", "State", "LittleEndian", "VirtioTesting"]),
    // A machine whose monitor was taken over.
    .executableTarget(
      name: "takeover", dependencies: ["Machine", "Confinement", "FileSystem", "Host", "CLinux"],
      path: "Tests/Monitor/takeover"),
    // Runs the program. As a dependency it would bring its linker flags along.
    tests("Monitor", "NovmmTests", []),

    tests("Guest", "GuestAgentTests", ["AgentProtocol", "HostTesting"]),

    tests("Hypervisor", "HypercallABITests", ["HypercallABI"]),
    tests("Hypervisor", "FramePoolTests", ["FramePool", "TraceTesting"]),
    tests("Hypervisor", "PagingTests", ["Paging", "TraceTesting"]),
    tests("Hypervisor", "CapabilitiesTests", ["Capabilities", "FramePool", "TraceTesting"]),
    tests("Hypervisor", "SchedulingTests", ["Scheduling", "FramePool", "TraceTesting"]),
    tests("Hypervisor", "FirmwareTests", ["Firmware", "LittleEndian"]),
    tests("Hypervisor", "ChipsetTests", ["Chipset", "GuestMemory", "VirtioTesting"]),
    tests(
      "Hypervisor", "TreeArchiveTests", ["TreeArchive", "Devices", "GuestMemory", "LittleEndian", "VirtioTesting"]),

    tests("Kits", "StoreTests", ["Store", "Host", "HostTesting"]),
    tests("Kits", "DownloadTests", ["Download", "nofetch", "Host", "HostTesting"]),
    tests("Kits", "PacksTests", ["Packs", "Host", "HostTesting"]),
    tests("Kits", "SnapshotsTests", ["Snapshots", "Packs", "Store", "Host", "HostTesting"]),
    tests("Kits", "KernelBundleTests", ["KernelBundle", "Packs", "HostTesting"]),
    tests("Kits", "ChangesTests", ["Changes", "FileSystem", "Packs", "Host", "HostTesting"]),
    tests("Kits", "ImagesTests", ["Images", "Packs", "Host", "HostTesting"]),
    tests("Kits", "RegistryTests", ["Registry", "Images", "Download", "Packs", "nofetch", "Host", "HostTesting"]),
    tests(
      "Kits", "NovmKitTests",
      ["NovmKit", "Images", "Packs", "AgentProtocol", "Boot", "KernelBundle", "Host", "HostTesting"]),

    tests("Command", "NovmTests", ["novm", "nofetch", "Novm", "NovmKit", "Images", "Registry", "Host", "HostTesting"]),
  ],
  cLanguageStandard: .gnu17
)
