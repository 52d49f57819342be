"""Machines made, used and removed by one process, eight at a time: crowd.py KERNEL COUNT. Prints what is left of them."""

import concurrent.futures
import os
import sys

import novm


def one(kernel: str, store: novm.Store, number: int) -> None:
    with novm.Machine(store=store, kernel=kernel, memory="128M") as machine:
        done = machine.run(["echo", str(number)], check=True)
        assert done.stdout == f"{number}\n".encode(), done


def resident() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def main(kernel: str, count: int) -> None:
    store = novm.Store()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        # The first ones warm: threads of the pool, memory of the allocator.
        list(pool.map(lambda number: one(kernel, store, number), range(16)))
        descriptors, memory = len(os.listdir("/proc/self/fd")), resident()
        list(pool.map(lambda number: one(kernel, store, number), range(count)))
    left = len(os.listdir("/proc/self/fd")) - descriptors
    grown = (resident() - memory) / 1024
    threads = len(os.listdir("/proc/self/task")) - 1
    print(f"{count} machines: {left} descriptors, {threads} threads, {grown:.1f} MiB, {len(store.machines())} machines left")
    assert left <= 0 and threads == 0 and grown < 4 and not store.machines()
    try:
        os.waitpid(-1, os.WNOHANG)
        raise AssertionError("a child")
    except ChildProcessError:
        pass


main(sys.argv[1], int(sys.argv[2]))
