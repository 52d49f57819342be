"""Waiting for what the library says by descriptors."""

from __future__ import annotations

import asyncio
import os
import select
from typing import Optional

from . import _library


def readable(descriptor: int, timeout: Optional[float]) -> None:
    """Waits until a descriptor is readable, for so many seconds at most. Signals are handled meanwhile."""
    if timeout is not None and timeout <= 0:
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll(_library.milliseconds(timeout))


async def readable_async(descriptor: int, timeout: Optional[float] = None) -> None:
    """The same for asyncio, by a descriptor of its own: a loop has one reader of each."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    own = os.dup(descriptor)
    loop.add_reader(own, ready.set)
    try:
        await asyncio.wait_for(ready.wait(), timeout)
    except asyncio.TimeoutError:
        pass
    finally:
        loop.remove_reader(own)
        os.close(own)
