"""Machines of directory trees.

    import novm

    with novm.Machine(memory="512M") as machine:
        done = machine.run(["uname", "-r"])
        print(done.stdout.decode())

A machine's ``/`` is this host's unless ``read`` or ``pack`` say otherwise; it cannot change the host's files. Times are in seconds.
"""

from ._errors import (
    CommandError,
    ConflictError,
    DescriptionError,
    InUseError,
    InstallationError,
    MachineError,
    MissingError,
    NotRunningError,
    NovmError,
    RefusedError,
    RunningError,
    TakenError,
    TimeoutError,
)
from ._machine import Change, Changes, Events, Machine, Publication, State
from ._pool import Pool
from ._process import Completed, Process
from ._store import Image, Kernel, Pack, Store

__all__ = [
    "Change",
    "Changes",
    "CommandError",
    "Completed",
    "ConflictError",
    "DescriptionError",
    "Events",
    "Image",
    "InUseError",
    "InstallationError",
    "Kernel",
    "Machine",
    "MachineError",
    "MissingError",
    "NotRunningError",
    "NovmError",
    "Pack",
    "Pool",
    "Process",
    "Publication",
    "RefusedError",
    "RunningError",
    "State",
    "Store",
    "TakenError",
    "TimeoutError",
]
