"""The journal of a reader: the time of each event that it received, for ``timeline``.

A line for each event, in a file without a name, since a long schedule delivers millions of them.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from eventstore.testing.schedules.protocol import Delivered

__all__ = ["Journal", "Told", "now"]

_IN_MEMORY_BYTES: Final = 1 << 20


def now() -> int:
    """Return microseconds of the clock that all processes of a machine share."""
    return time.monotonic_ns() // 1000


class Told(NamedTuple):
    """One event that a reader received."""

    moment: int
    stream: str
    version: int
    event_id: str


class Journal:
    """The events that one reader received, in order."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, "w+", encoding="utf-8")  # noqa: SIM115 (closed with the journal)
        self._numbers: dict[str, int] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, self._file.close)

    def write(self, page: Sequence[Delivered]) -> None:
        """Write down a page that was just delivered."""
        moment = now()
        with self._lock:
            self._file.writelines(f"{moment} {self._numbered(one)}\n" for one in page)

    def read(self) -> Iterator[Told]:
        """Yield everything from the beginning."""
        with self._lock:
            streams = list(self._numbers)
            self._file.seek(0)
            try:
                for line in self._file:
                    moment, stream, version, event_id = line.rstrip("\n").split(" ", 3)
                    yield Told(int(moment), streams[int(stream)], int(version), event_id)
            finally:
                self._file.seek(0, os.SEEK_END)

    def first_at(self, stream: str, version: int) -> str | None:
        """Return the first event that was delivered as this version of a stream."""
        told = (one for one in self.read() if (one.stream, one.version) == (stream, version))
        first = next(told, None)
        return None if first is None else first.event_id

    def _numbered(self, one: Delivered) -> str:
        number = self._numbers.setdefault(one.stream, len(self._numbers))
        return f"{number} {one.version} {one.event_id}"
