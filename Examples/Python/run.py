"""Runs a command in a machine over this host's files, which it cannot change."""

import novm

with novm.Machine(memory="256M") as machine:
    print(machine.run(["uname", "-r"], check=True).stdout.decode(), end="")
