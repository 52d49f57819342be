"""Machines that are kept ready."""

from __future__ import annotations

import contextlib
import time
from typing import Iterator, Optional

from . import _library
from ._errors import TimeoutError
from ._library import Handle
from ._machine import Machine, Setting, _description
from ._store import Store


class Pool:
    """Machines of one description that are kept ready, for any number of threads.

    There are never more than ``size``, those that were taken included. As a context manager it is closed in the end.

    Args:
        size: 1 to 1024.
        file, store, settings: as of ``Machine``; without a name.
    """

    def __init__(
        self, size: int, *, file: Optional[str] = None, store: Optional[Store] = None, **settings: Setting
    ) -> None:
        self.store = store or Store()
        description = _description(file, settings)
        self._handle = Handle.made("novm_pool_open", self.store._handle.number, description.number, size)

    def take(self, timeout: Optional[float] = None) -> Machine:
        """Takes a machine that runs; waits if there is none now.

        Raises:
            TimeoutError: not within ``timeout`` seconds.
            NovmError: what keeps machines from coming up; the next call tries anew.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            # Signals are handled between.
            rest = 0.5 if deadline is None else min(0.5, deadline - time.monotonic())
            try:
                taken = Handle.made("novm_pool_take", self._handle.number, _library.milliseconds(rest))
                return Machine._of(self.store, taken)
            except TimeoutError:
                if deadline is not None and time.monotonic() >= deadline:
                    raise

    def give(self, machine: Machine, reuse: bool = False) -> None:
        """Gives a machine back that was taken.

        Args:
            reuse: whether who takes it next finds what was done in it; otherwise it is ended, and another one is made.
        """
        _library.call("novm_pool_give", self._handle.number, machine._handle.number, int(reuse))
        # Which the library has closed.
        machine._handle.forget()

    @contextlib.contextmanager
    def machine(self, timeout: Optional[float] = None, reuse: bool = False) -> Iterator[Machine]:
        """A machine for a block; one in which the block fails is not used again."""
        machine = self.take(timeout)
        keep = False
        try:
            yield machine
            keep = reuse
        finally:
            self.give(machine, keep)

    def close(self) -> None:
        """Ends the machines that nobody has taken."""
        self._handle.close()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
