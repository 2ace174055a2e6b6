"""What a process of writers wrote down: ``writing`` writes it, ``writers`` reads it meanwhile.

A line for each transaction that has ended, with the names of its events if it was acknowledged, and
without any if not. A line is written at once and as a whole before the next transaction begins, so
what a killed process was told stands there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from eventstore.testing.schedules.names import Names

__all__ = ["Ledger", "Ledgers", "write_down"]


def write_down(acknowledged: Sequence[str]) -> None:
    """Write one line, on standard output."""
    os.write(1, (" ".join(acknowledged) + "\n").encode())


class Ledgers:
    """The sum of what all of them wrote down."""

    def __init__(self) -> None:
        self.ended = 0
        """Transactions."""
        self.transactions = 0
        """Those that were acknowledged."""
        self.events = Names()


class Ledger:
    """One process's, read on from where it was read before."""

    def __init__(self, path: Path, sum_of_all: Ledgers) -> None:
        self._path = path
        self._sum = sum_of_all
        self._read = 0

    def read_on(self) -> None:
        """Add what was written since."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            more = file.read()
        whole = more[: more.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode().splitlines():
            names = line.split()
            self._sum.ended += 1
            self._sum.transactions += bool(names)
            for name in names:
                self._sum.events.add(name)
