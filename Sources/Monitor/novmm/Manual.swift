/// The whole manual.
let manual = """
  novmm: a virtual machine monitor for Linux KVM whose primary device is a file system

  Usage: novmm --kernel FILE|--restore FILE [OPTION]...

  One process is one machine. It ends when the guest does, with a status that says how.

  Kernel
    --kernel FILE           a vmlinux (ELF) or a bzImage
    --setup FILE            the bzImage's setup header, from its offset 0x1f1, for an extracted vmlinux
    --initramfs FILE        the initial file system, a newc archive; more of them are unpacked over it
    --cmdline TEXT          the kernel's command line
    --kaslr HOW             on or off: whether the kernel and its memory lie at random addresses (default on): a vmlinux with the
                            relocations behind it that its bzImage held (--verbose says whether it has them), and a bzImage
                            by itself. nokaslr in --cmdline is off, too
    --restore FILE          goes on where another machine was saved (`save`, below, --control), in the place of a kernel: with
                            the options of that machine for memory, processors, devices and their places, the same disks and
                            directories, and a processor like that machine's. FILE is mapped, not read: it must stay as it is
                            for as long as the machine runs. The guest is told by ACPI that it is another machine, and draws
                            other random numbers if its kernel heeds that (CONFIG_VMGENID)
    --keep-identity         with --restore, it is not told: where the machine of the state will not go on, nor another from it
  Machine
    --memory MIB            RAM in MiB, up to 262144 (default 512)
    --huge-pages HOW        pages of 2 MiB: transparent (the default), where the host has them to spare; hugetlbfs, those
                            that are set aside in /sys/kernel/mm/hugepages; or off
    --entropy-rate BYTES    the most random bytes in a second, from 64 on; perhaps with K, M or G
    --prefault              all memory is there from the start
    --cpus N[,KEY=VALUE...] vCPUs, up to 254 (default 1); sockets=, cores= (of a socket) and threads= (of a core) say how
                            they lie, and N is their product: 8,cores=4,threads=2. Cores of one socket, if not said
    --numa MIB[,cpus=FIRST[-LAST]]...
                            a NUMA node, with so much of the memory and these processors; repeatable, and all together have
                            all of them. Without cpus= in any, each has as many. A kernel learns of them by ACPI
    --numa-distance A,B=N   how far node A is from B, from 11 to 255: 10 is what each is from itself (default 20)
    --cpu-affinity CPUS     which of the host's CPUs run them: 0-3,6 for all vCPUs, or 0=0-1:1=2 for each its own
    --balloon               a balloon (virtio-balloon): free pages of the guest's go back to the host, by themselves and on
                            the order `balloon` (below, --control)
    --kvm PATH|fd:N         the KVM device (default /dev/kvm)
    --discovery HOW         how the kernel learns of its devices: acpi (the default), by ACPI tables; or cmdline, for a
                            kernel built without ACPI and with CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES, by
                            virtio_mmio.device= on its command line and an MP table. Then there are no power button and
                            no pvpanic, and only noguest can switch the machine off
    --transport HOW         how virtio devices are reached: mmio (the default), each by registers and an interrupt of its
                            own; or pci, as functions of a PCI bus, with a message for each queue
    --place DEVICE=N        the place of a virtio device, from 0 on: its window and interrupt, or its number on the bus. The
                            others have the first that are free, in this order: entropy, tree, share0 and so on, vsock,
                            console, balloon, disk0…, pmem0…, card0…
  Tree, which the guest mounts by: mount -t virtiofs TAG DIRECTORY
    --read [GUEST=>]HOST    a read layer: directory HOST at the guest's path GUEST (default /); later ones lie above. With
                            GUEST, HOST may be a single file, and with --share too: the one that is there at the start;
                            with --confine off what has its name, so that a file which takes its place is the guest's
    --pack [GUEST=>]HOST    a read layer, among those of --read, that never changes, keeps owners in attributes, and has
                            hard links only to store files once: the tree of a pack of novm's
    --write [GUEST=>]HOST[:OPTIONS]
                            where writes below GUEST go, in overlayfs's format; without one the tree is read-only. Options,
                            with commas between them: suid, dev (as root: set-id bits and capabilities of files, and device
                            nodes, are the host's too, though other users can come to HOST)
    --write-limit SIZE[,files=N]
                            the most that each directory of --write may hold: bytes that its files take on the host, perhaps
                            with K, M, G or T, and names. More fails with ENOSPC. Not with --dax
    --share [GUEST=>]HOST[:OPTIONS]
                            directory HOST as it is, nothing merging with it, changes going both ways. Options, with
                            commas between them: ro; cache=none (a change of the host's shows at once), auto (within a
                            second and with each open; the default), always (the host changes nothing); suid, dev; tag=TAG (a
                            device of its own by this tag, for the guest to mount on GUEST, where the tree has a
                            directory for it: unless it is cache=always, a share slows the tree that it is part of), or
                            for a file tag=TAG/NAME (in a device of files, by that name)
    --hide GUEST            a path that the read layers do not show
    --uidmap, --gidmap GUEST:HOST:COUNT
                            as root: COUNT users (groups) of the guest from GUEST on own files as those from HOST on,
                            in write maps and shares
    --dax MIB|auto|off      a window through which the guest maps large files of the read layers from the host's page
                            cache (DAX), instead of reading them into its own; auto: as large as RAM (default off)
    --tag TAG               its name (default root)
  Network cards
    --nic KEY=VALUE[,KEY=VALUE]...
                            a card, with up to 8 of them. Its link is one of
                              tap=NAME         a tap of the host's, which is made (and removed at the end) if it is not
                                               there, with CAP_NET_ADMIN; without it, one that belongs to the user
                              bridge=NAME      the bridge whose port that tap is; without tap=, a tap by a free name
                              tap=fd:N[+fd:N]  open queues of a tap, with IFF_VNET_HDR and IFF_NO_PI
                              stream=fd:N      a stream socket, each frame behind its length (32 bits, big-endian),
                                               as of passt --fd or QEMU's -netdev stream
                              loopback=off     for a stream: frames to a loopback address go nowhere
                            and the rest
                              mac=ADDRESS      by chance if not given
                              own=ADDRESS[+ADDRESS]...
                                               what it sends from other addresses than these and mac= is lost, and so is
                                               what tells others by ARP or neighbour discovery
                              mtu=BYTES        68 to 65535; the tap's, 1500 for a stream
                              queues=N         pairs of queues of the tap (1 to 64, default 1)
                              rate=BYTES       the most in a second, each direction; perhaps with K, M or G
                              burst=BYTES      the most at once after a pause; a tenth of a second's if not given,
                                               and a hundredth's at least
    --egress ADDRESS/LENGTH[,dns=ADDRESS]...[,udp=PORT[-PORT]]...[,closed]
                            the one card by stream= lets through what is granted (docs/egress.md): the guest's address,
                            its name servers, its UDP ports that are reached from outside, and closed where nothing
                            passes that is not allowed, as with one --allow
    --allow GRANT           what may be reached: NAME, *.NAME, ADDRESS or ADDRESS/LENGTH, perhaps with :PORT and /tcp or /udp;
                            or ech, servers whose names are hidden (TLS Encrypted Client Hello, QUIC), which browsers need
    --deny GRANT            what may not be, whatever is allowed
  Disks
    --disk FILE[,ro][,KEY=VALUE]...
                            a disk (virtio-blk) of a regular file's or a block device's content, or of fd:N; the guest's
                            /dev/vda, vdb and so on in the order of these, up to 12. No two machines can have one at a
                            time, nor a machine and a loop device of the host's, unless each has it ro. ,, is a comma of
                            FILE's own. The rest:
                              ro               the guest can only read
                              serial=TEXT      its serial number, up to 20 bytes
                              cache=HOW        writeback (the default): what is written is in the host's page cache
                                               until the guest flushes; none: never in the host's page cache; unsafe:
                                               flushes do nothing
                              rate=BYTES       the most in a second, perhaps with K, M or G
                              iops=NUMBER      the most requests in a second
                              dev=NAME         the serial number, if there is none (novm makes a link of it)
    --pmem FILE[,ro]        a file that is memory (virtio-pmem): the guest's /dev/pmem0 and so on. The guest maps the
                            host's page cache (DAX), and what it flushes is on the host's disk. FILE is a regular file or
                            a block device of a multiple of 2 MiB, or fd:N, and one machine's as a disk is; with ro nothing
                            that the guest writes there is kept
  Talking to the guest
    --vsock PATH[,cid=N]    a Unix socket: write `CONNECT PORT\\n`, read `OK ...\\n`, then the stream is the guest's port;
                            a guest's connection to port P of CID 2 comes to the Unix socket PATH_P (default cid 3)
    --console WHERE         the virtio console (hvc0). WHERE is -, standard input and output; a file, which is made or
                            emptied, without input; fd:N; or unix:PATH, a Unix socket that somebody listens at. Who does
                            not read there holds the guest up: Linux waits for each piece of its output to be taken
    --com1 WHERE            a 16550 serial port (ttyS0), which also shows the earliest kernel messages
    --com2 WHERE            another (ttyS1)
  Process
    --control PATH          a Unix socket that takes a line and answers one: `pause` stops the vCPUs (`paused`, once none
                            runs), `quiesce` the devices, too (`quiesced`, or `running` if somebody resumes it meanwhile),
                            `resume` lets them go on (`running`), `status` tells which of the three it is; `usage`
                            tells what the guest makes the monitor hold (`usage nodes=N streams=N`, and `written=BYTES/LIMIT/
                            NAMES[/LIMIT]` for each write map with a limit); `save`, with the descriptor of an empty file
                            along with it (unix(7), SCM_RIGHTS), writes the state of a quiesced machine there, its memory
                            too, for --restore (`saved`, or `refused WORDS`: not while the guest uses removed directories,
                            or more than 64 MiB of removed files);
                            `resize DISK [BYTES]` makes a disk (by place or serial number) larger (`size BYTES` or
                            `refused WORDS`); `balloon [BYTES]` takes so much of the guest's memory (`balloon ASKED GIVEN
                            [KEY=BYTES]...`, or `refused WORDS`); `egress allow|deny|remove GRANT` changes what --egress
                            lets through (`changed` or `refused WORDS`); `capture N` writes what passes network card N, from
                            0 on, to the socket as a pcapng file, after the line `capturing`
    --confine HOW           what keeps the monitor, should its guest take it over, to what this machine needs: auto
                            (the default), whatever the host has of it; require, all of it, or no machine; off. It is a
                            list of system calls (seccomp), of which another ends the machine, and of files (Landlock)
    --run-as UID[:GID]      as root: whose process the monitor is once it is confined; it keeps of root's capabilities those
                            that its trees take
    --cgroup fd:N           enters a control group first, by its cgroup.procs, which is open for writing
    --lifeline fd:N         the machine ends when this descriptor reads end of file
    --timings fd:N          writes a line `MOMENT NANOSECONDS` (CLOCK_MONOTONIC) for each step of the start
    --verbose               says what it does
    --check                 tells whether this host's KVM can run machines, and runs none
    --version, --help

  Signals
    SIGTERM, SIGINT         asks the guest to power off: through its agent (vsock port 1024) and its power button;
                            the second one ends the machine at once. A guest that has panicked answers only if its
                            kernel has `panic=-1` or pvpanic, or by the second signal
    SIGQUIT                 reports where each vCPU is, and goes on

  Exit status
    0  the guest powered off          3  the guest rebooted        6  KVM failed, or the guest did what
    1  the host refused something     4  the guest panicked           this machine has no part for
    2  this command line is wrong     5  a triple fault            7  it tried a forbidden system call
                                                                   128+N  ended by signal N

  Example
    novmm --kernel vmlinux --initramfs initramfs --cmdline 'root=root rootfstype=virtiofs console=ttyS0 panic=-1' \\
      --read / --write /tmp/writes --com1 -

  """
