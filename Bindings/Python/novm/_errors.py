"""What can go wrong."""

from __future__ import annotations

import builtins
from typing import Dict, Type


class NovmError(Exception):
    """Something could not be done; the text is one line with the mend where there is one.

    Attributes:
        status: the library's number for it (``novm_status`` in novm.h).
        subject: the name, path or setting that it is about; empty if there is none.
        number: the host's error number, or 0.
        line: the line of a description's text, from 1 on, or 0.
        exit_status: what the command ``novm`` would end with.
    """

    def __init__(
        self, message: str, status: int = 0, subject: str = "", number: int = 0, line: int = 0, exit_status: int = 125
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.subject = subject
        self.number = number
        self.line = line
        self.exit_status = exit_status


class DescriptionError(NovmError, ValueError):
    """A description, or a setting of one, that cannot be."""


class MissingError(NovmError, LookupError):
    """No machine, kernel, pack or file of this name."""


class TakenError(NovmError):
    """The name is taken."""


class RunningError(NovmError):
    """It needs a machine that does not run."""


class NotRunningError(NovmError):
    """It needs a machine that runs."""


class TimeoutError(NovmError, builtins.TimeoutError):
    """Not within the time that was given for it."""


class CommandError(NovmError):
    """The command could not be run in the machine, or ended with another status than 0 where that was asked for."""


class MachineError(NovmError):
    """The machine did not come up, or ended."""


class ConflictError(NovmError):
    """Changes that would overwrite what others changed since."""


class InUseError(NovmError):
    """A pack, volume or port is in use."""


class InstallationError(NovmError):
    """Parts of novm, or programs that it needs, are not installed."""


class RefusedError(NovmError):
    """A server, or the network on the way to it, gives it not to this user, or not now."""


_BY_STATUS: Dict[int, Type[NovmError]] = {
    3: DescriptionError,
    4: MissingError,
    5: TakenError,
    6: RunningError,
    7: NotRunningError,
    8: TimeoutError,
    9: CommandError,
    10: MachineError,
    12: ConflictError,
    13: InUseError,
    15: InstallationError,
    17: RefusedError,
}


def error_class(status: int) -> Type[NovmError]:
    return _BY_STATUS.get(status, NovmError)
