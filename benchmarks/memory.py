"""Measure the peak memory of a piece of work, above the memory that the process held before."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STATM = Path("/proc/self/statm")
_EVERY_SECONDS = 0.02
_MEGABYTE = 2**20


@dataclass(slots=True)
class Growth:
    """Megabytes at the peak above those at the beginning; None where the system does not tell."""

    megabytes: float | None = None


@contextmanager
def growth() -> Iterator[Growth]:
    """Watch the memory of this process from a thread, until the work is done."""
    grown = Growth()
    if not _STATM.exists():
        yield grown
        return
    gc.collect()
    before = _resident()
    grown.megabytes = 0.0
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_EVERY_SECONDS):
            grown.megabytes = max(grown.megabytes or 0.0, (_resident() - before) / _MEGABYTE)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield grown
    finally:
        done.set()
        watcher.join()


def _resident() -> int:
    pages = int(_STATM.read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
