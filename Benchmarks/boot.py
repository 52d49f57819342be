"""From the start of the VMM's process to the first line of the guest's init."""

from guests import initramfs

RUNS = 3


def median(values):
    return sorted(values)[len(values) // 2]


def first_line(guest):
    with guest:
        return guest.wait_for("first line of init") - guest.started, guest


def measure(kernels, scratch, row):
    kernel = kernels["cloud"]
    archive = initramfs(f"{scratch}/boot", "echo first line of init\n/bin/busybox sleep 60")
    ours, kernel_alone, rest = [], [], []
    peers = {"microvm": [], "q35": []}
    for _ in range(RUNS):
        seconds, guest = first_line(kernel.novmm(archive))
        alone = guest.started + seconds - guest.moments()["first-entry"]
        ours.append(seconds)
        kernel_alone.append(alone)
        rest.append(seconds - alone)
        for machine, times in peers.items():
            times.append(first_line(kernel.qemu(machine, archive))[0])
    row("boot-microvm", "s", median(ours), median(peers["microvm"]), "QEMU -M microvm", 0.40)
    row("boot-q35", "s", median(ours), median(peers["q35"]), "QEMU -M q35", 0.55)
    row("boot-rest", "s", median(rest), median(kernel_alone), "the guest kernel's own boot", 0.05)
