"""Look at processes of this machine, and wait for what they do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["POLL_SECONDS", "STOP_SECONDS", "children", "is_alive", "until"]


STOP_SECONDS: Final = 30.0


POLL_SECONDS: Final = 0.02


def children(parent: int) -> list[int]:
    """Return the processes of a postmaster, each in a group of its own.

    Without /proc none are found. They end when they notice that the postmaster is gone.
    """
    return [
        int(stat.parent.name)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if _fields(stat)[1:2] == [str(parent)]
    ]


def is_alive(process: int) -> bool:
    return _fields(Path(f"/proc/{process}/stat"))[:1] not in ([], ["Z"])


def _fields(stat: Path) -> list[str]:
    """Return state, parent, …: the fields after the name, which may hold spaces and brackets."""
    try:
        return stat.read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:  # it has ended meanwhile
        return []


def until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {STOP_SECONDS} s for {what}")
        time.sleep(POLL_SECONDS)
