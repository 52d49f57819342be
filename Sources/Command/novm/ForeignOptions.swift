import ArgumentParser

/// Options that people bring along from Docker, Podman and virtme-ng, and what does the same here.
enum ForeignOptions {
  /// What to say of an option that there is not; nil where there is nothing to say but that.
  ///
  /// - Parameters:
  ///   - option: without its value.
  ///   - command: that it was given to.
  static func answer(_ option: String, of command: any ParsableCommand.Type) -> String? {
    guard option.hasPrefix("--") else { return nil }
    let (name, verb) = (String(option.dropFirst(2)), command._commandName)
    let verbs = ["run", "create"]
    if !verbs.contains(verb), devices.contains(name) {
      return "\(option): a machine that runs takes no further shares, disks, cards or ports (there is no hot plug); "
        + "give it to novm run or novm create"
    }
    // Machines, packs and kernels have commands of the same names.
    let ofThem: [any ParsableCommand.Type] = [LoginCommand.self, LogoutCommand.self, CommitCommand.self]
    if (ImageCommand.configuration.subcommands + ofThem).contains(where: { $0 == command }),
      let answer = ofImages[verb]?[name] ?? (registryVerbs.contains(verb) ? ofRegistries[name] : nil)
    {
      return "\(option): \(answer)"
    }
    return verbs.contains(verb) || verb == "exec" ? answers[name].map { "\(option): \($0)" } : nil
  }

  /// Commands that there are not, and what does the same.
  static let commands = [
    "build": "novm builds no images; buildah does, into what novm takes: buildah build --tag app . && "
      + "buildah push app oci-archive:app.tar && novm load --input app.tar --name app",
    "search": "novm does not search registries; look there for the name, and: novm pull NAME",
    "volume": "a volume is made by naming it: novm run --volume 'NAME=>PATH'; one of the machine's own goes with that",
    "network": "a machine has a network by --net user, or a card on a bridge by --nic bridge=NAME",
    "compose": "a machine is described in a file: novm run --file machine.yaml; see docs/machine-file.md",
    "export": "a machine's files come out by novm cp NAME:/ -, what it wrote by novm commit and novm pack export",
    "port": "novm ls shows what of the host leads into which of a machine's ports",
    "port-forward": "ports are led into a machine by --publish HOST:GUEST",
  ]

  /// Commands that speak to registries.
  private static let registryVerbs: Set<String> = ["pull", "push", "login", "logout"]

  private static let ofRegistries = [
    "authfile": "the file is named by a variable: REGISTRY_AUTH_FILE=FILE",
    "cert-dir": "certificates lie in ~/.config/containers/certs.d/HOST, or that of /etc/containers or /etc/docker",
    "creds": "a password among a command's words is everybody's: novm login HOST, which asks for it",
    "retry": "what fails is tried four times by itself",
    "retry-delay": "a server's own wish (Retry-After) is heeded, up to a minute",
    "disable-content-trust": "there is none to disable; what comes is compared with the digests that name it",
    "signature-policy": "signatures are not looked at; give a digest: NAME@sha256:...",
    "remove-signatures": "signatures are not sent; leave it out",
    "sign-by": "novm does not sign; skopeo and cosign do, what was pushed",
  ]

  /// By the name of a command of images and an option's.
  private static let ofImages: [String: [String: String]] = [
    "pull": [
      "all-tags": "one tag at a time; which there are is told by: skopeo list-tags docker://NAME",
      "arch": "machines are x86-64", "os": "machines are Linux's", "variant": "the one without a variant is taken",
      "policy": "what is there is not fetched again; for run and create there is --pull",
    ],
    "push": [
      "all-tags": "one tag at a time: novm push NAME:TAG", "digestfile": "the digest is what it prints: --quiet",
      "format": "it is OCI's, unless the image came from there in another one",
      "compression-format": "that is --compress", "compression-level": "the usual one is taken",
    ],
    "ls": ["digests": "--format '{{.Name}} {{.Digest}}'", "sort": "they come by name; --format ... | sort"],
    "rm": [
      "all": "novm prune removes machines that do not run; novm prune --images, images that no machine is made of",
      "no-prune": "layers go with the last image that has them; there are no others",
    ],
    "save": [
      "format": "it is both, oci-archive and docker-archive; with a directory, an OCI layout",
      "multi-image-archive": "several images are one archive: novm save NAME NAME",
      "quiet": "nothing is said; leave it out",
      "uncompressed": "that is how it is; see --compress",
    ],
    "import": ["platform": "machines are x86-64", "arch": "machines are x86-64", "os": "machines are Linux's"],
    "history": [
      "no-trunc": "nothing is cut off; leave it out", "human": "it is; leave it out",
      "format": "as JSON it is part of: novm image inspect NAME",
      "quiet": "layers are part of: novm image inspect NAME",
    ],
    "login": [
      "password": "a password among a command's words is everybody's: --password-stdin, or let it ask",
      "get-login": "who is logged in where is in auth.json: ~/.config/containers/auth.json, or REGISTRY_AUTH_FILE",
    ],
    "logout": ["all": "one registry at a time: novm logout HOST"],
    "commit": [
      "pause": "the machine must not run: novm stop NAME", "format": "OCI's; novm save makes an archive of both kinds",
      "squash": "what the machine wrote is one layer as it is", "include-volumes": "volumes are no part of an image",
      "iidfile": "the identifier is what it prints", "config": "that is --change",
    ],
  ]

  /// What is a machine's from its start on.
  private static let devices: Set<String> = [
    "read", "write", "share", "volume", "mount", "tmpfs", "pack", "disk", "pmem", "nic", "net", "network", "publish",
    "memory", "cpus",
  ]

  private static let answers = [
    "restart": "to start a machine with the host and anew when it fails is systemd's part: novm generate systemd NAME",
    "stop-timeout": "is said when the machine is stopped: novm stop --time SECONDS NAME",
    "privileged": "the machine's root may do all in the machine, and nothing outside of it; leave it out",
    "cap-add": "the machine's root has all capabilities, in the machine; leave it out",
    "cap-drop": "drop them where the command starts: novm run -- setpriv --bounding-set=-all COMMAND",
    "security-opt": "for what keeps the machine's monitor there is --confine; within the machine the kernel is its own",
    "userns": "as an ordinary user all is that user's; as root there are --uidmap and --gidmap",
    "pid": "a machine has processes of its own, and no others",
    "ipc": "a machine has memory of its own; to share files there is --share",
    "device": "give the machine a disk with --disk, a card with --nic; others cannot be given to it yet",
    "gpus": "no device of the host's can be given to a machine yet",
    "add-host": "give it a file of yours: --share '/etc/hosts=>./hosts'",
    "dns": "give it a file of yours: --share '/etc/resolv.conf=>./resolv.conf'; for a card: --nic ...,dns=ADDRESS",
    "link": "machines reach each other by cards on a bridge (--nic bridge=), or by ports (--publish)",
    "expose": "ports are led into the machine by --publish HOST:GUEST, an image's own by --publish-all",
    "volumes-from": "name the volume again: --volume 'NAME=>PATH'",
    "log-driver": "novm logs shows what a machine in the background writes",
    "read-only": "what the machine writes is gone at its end; for a share there is :ro",
    "rootfs": "a directory is the machine's / by --read DIRECTORY",
    "rw": "the host's tree is changed by --share '/=>/', or afterwards: --try",
    "rwdir": "that is --share 'GUEST=>HOST'",
    "rodir": "that is --read 'GUEST=>HOST'",
    "pwd": "a command starts where it was called, if the machine has that directory; see --cwd",
    "gdb": "novmm has no stub for gdb yet",
    "debug": "novmm has no stub for gdb yet; with --debug-info perf, drgn and crash in the machine know its kernel",
    "run": "that is --kernel NAME, or a path: --kernel ./linux",
    "kdir": "that is --kernel DIRECTORY",
    "kimg": "that is --kernel FILE",
    "root": "that is --read DIRECTORY",
    "exec": "the command comes behind the options: novm run -- COMMAND",
    "overlay-rwdir": "the machine can write everywhere; leave it out",
    "pin": "that is --cpu-affinity",
    "systemd": "that is --init",
    "ssh":
      "a command or a shell in a machine that runs is novm exec -t NAME; to an sshd of its own leads --publish 2222:22",
    "graphics": "a machine has no display; a program's own comes out by --publish",
    "sound": "a machine has no sound card",
    "balloon": "a machine has one, unless --no-balloon",
    "sysctl": "the kernel takes it from its command line: --cmdline sysctl.NAME=VALUE",
    "cpuset-cpus": "that is --cpu-affinity, and --cpus says how many processors the machine has",
    "memory-swap": "a machine has the memory of --memory; to swap, give it a disk: --disk swap.img,dev=swap",
    "mac-address": "that is --nic ...,mac=ADDRESS",
    "ip": "that is --nic ...,ip=ADDRESS/LENGTH",
    "group-add": "the groups of --user are those that the machine's /etc/group gives it",
  ]
}
