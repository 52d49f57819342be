"""Cards on a tap: streams of TCP and exchanges of small datagrams with the host, on our virtio-net beside QEMU's, each with the
offloads that it gives by itself.

What counts is what a phase costs the host (costs.py), which is both ends of the connection. No task is stopped for another one
that it has woken (SCHED_BATCH, for ours and the peer alike), as none is where each thread has a processor. On one alone the
kernel's accounts of a few microseconds decide it otherwise, for a whole run: then each frame comes by itself, with exits,
interrupts and switches of its own, or many do together, and the figures of one VMM lie as far apart as a factor of two.
"""

import ctypes
import os
import shutil
import subprocess
from typing import NamedTuple

from costs import compare, costs
from guests import GuestFailed, initramfs

MODULES = [
    "virtio_ring", "virtio", "virtio_mmio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "failover",
    "net_failover", "virtio_net"]

TAP = "bench0"
HOST = "10.77.0.1"
GUEST = "10.77.0.2"
MEBIBYTES = 256
# Of MEBIBYTES each. The two kernels find one of a few rhythms for a connection, which lie 2 % apart.
CONNECTIONS = 4
DATAGRAMS = 16384


class Phase(NamedTuple):
    """What packets.c is told in the guest, how often, and of how much the cost is given."""
    command: str
    unit: str
    amount: float
    times: int = 1


PHASES = {
    "send": Phase(f"send {HOST} {MEBIBYTES}", "MiB", CONNECTIONS * MEBIBYTES, CONNECTIONS),
    "receive": Phase(f"receive {HOST} {MEBIBYTES}", "MiB", CONNECTIONS * MEBIBYTES, CONNECTIONS),
    # Each datagram by itself, and as many as come together.
    "exchange-1": Phase(f"exchange {HOST} {DATAGRAMS} 1", "1000", DATAGRAMS / 1000),
    "exchange-32": Phase(f"exchange {HOST} {DATAGRAMS} 32", "1000", DATAGRAMS / 1000),
}

SCRIPT = f"""
/bin/busybox ip address add {GUEST}/24 dev eth0 && /bin/busybox ip link set eth0 up || echo "! no card"
# Finds the host's address, and has programs and connections come into memory.
/packets send {HOST} 8 && /packets receive {HOST} 8 && /packets exchange {HOST} 64 32 || echo "! packets"
""" + "".join(f"""
echo @{name}
for time in $(/bin/busybox seq {phase.times}); do /packets {phase.command} || echo "! packets"; done
echo @end
/bin/busybox sleep 0.2
""" for name, phase in PHASES.items()) + "/bin/busybox sleep 60"


def make_tap():
    """Brings this process, and what it starts from now on, into a network of its own, which has nothing but a tap."""
    clone_newnet = 0x40000000  # <linux/sched.h>
    if ctypes.CDLL(None, use_errno=True).unshare(clone_newnet):
        raise GuestFailed(f"no network of its own: {os.strerror(ctypes.get_errno())}; run it as root")
    for words in (f"tuntap add {TAP} mode tap vnet_hdr", f"address add {HOST}/24 dev {TAP}", f"link set {TAP} up"):
        subprocess.run(["ip", *words.split()], check=True)


def measure(kernels, scratch, row):
    kernel = kernels["generic"]
    os.makedirs(f"{scratch}/root")
    shutil.copy(os.environ["PACKETS"], f"{scratch}/root/packets")
    archive = initramfs(f"{scratch}/network", SCRIPT, kernel.modules(MODULES), f"{scratch}/root")

    def qemu(machine, device, *options):
        return kernel.qemu(
            machine, archive, *options, "-netdev", f"tap,id=link,ifname={TAP},script=no,downscript=no,vhost=off",
            "-device", f"{device},netdev=link")

    pairs = {
        "mmio": ("QEMU -M microvm", lambda: qemu(
            "microvm", "virtio-net-device", "-global", "virtio-mmio.force-legacy=false")),
        "pci": ("QEMU -M q35", lambda: qemu("q35", "virtio-net-pci,romfile=")),
    }
    make_tap()
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    server = subprocess.Popen([os.environ["PACKETS"], "serve"])
    try:
        for transport, (title, peer) in pairs.items():
            prefix = f"network-{transport}"
            if not any(row.wants(f"{prefix}-{phase}") for phase in PHASES):
                continue
            ours = costs(kernel.novmm(archive, "--transport", transport, "--nic", f"tap={TAP}"), PHASES)
            theirs = costs(peer(), PHASES)
            for name, phase in PHASES.items():
                compare(row, f"{prefix}-{name}", phase.unit, phase.amount, ours[name], theirs[name], title)
    finally:
        server.kill()
        server.wait()
