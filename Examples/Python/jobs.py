"""Counts the lines of each file of a directory, on machines that share the work: jobs.py DIRECTORY [MACHINES]."""

import concurrent.futures
import os
import sys

import novm

directory = os.path.abspath(sys.argv[1])
count = int(sys.argv[2]) if len(sys.argv) > 2 else 4

with novm.Pool(count, memory="256M", read=f"/work=>{directory}") as pool:

    def lines(name: str) -> int:
        with pool.machine(reuse=True) as machine:
            return int(machine.run(["wc", "-l", f"/work/{name}"], check=True).stdout.split()[0])

    names = [entry.name for entry in os.scandir(directory) if entry.is_file()]
    with concurrent.futures.ThreadPoolExecutor(count) as threads:
        print(f"{len(names)} files, {sum(threads.map(lines, names))} lines")
